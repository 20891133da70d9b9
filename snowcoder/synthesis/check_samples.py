"""The step that judges samples: syntax, then tests in the sandbox; and what finds copies of those that pass."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from snowcoder.config.schema import Config
from snowcoder.corpus.counts import KEPT, Counts
from snowcoder.corpus.dedup.signature import SIGNATURES, FileSignatures
from snowcoder.corpus.document import DOCUMENT_SCHEMA, DOCUMENTS, documents_table, size_of
from snowcoder.corpus.dropped_examples import DroppedExamples
from snowcoder.lineage.rows import RowCounts
from snowcoder.permutation import key_of
from snowcoder.sandbox.program import Limits, Program
from snowcoder.sandbox.sandbox import Sandbox
from snowcoder.stages.steps import Record, Step, WorkItem
from snowcoder.stages.tables import Table, count_rows
from snowcoder.synthesis.draft import Draft, draft_of, program_of
from snowcoder.synthesis.generate import OUTCOMES
from snowcoder.synthesis.generate import SCHEMA as OUTCOME_SCHEMA
from snowcoder.synthesis.syntax import parses

_LIMITS = Limits(wall_seconds=20, cpu_seconds=10, memory_mib=1024)  # SelfCodeAlign: 10 s and 4 GB


class CheckSamples(Step):
    def __init__(self, folder: Path, config: Config, answers: Path) -> None:
        super().__init__(folder)
        self.config, self.answers = config, answers
        self._sandbox: Sandbox | None = None

    def work_items(self, answered: list[Record]) -> list[WorkItem]:
        return [
            self.work_item(
                record.name,
                record.digest,
                {"number": number, "rows": sum(record.tables.values())},
                sum(output.bytes for output in record.outputs),
            )
            for number, record in enumerate(answered)
        ]

    def decided_by(self) -> dict[str, Any]:
        config, synthesis = self.config, self.config.synthesis
        return {
            "seed": config.run.seed,
            "recipe": synthesis.model_dump(include={"name", "chat", "syntax", "execute"}),
            "near": config.corpus.near.model_dump(exclude={"threshold"}),
            "samples": config.corpus.samples,
        }

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        table = Table(self.answers / f"{item.name}{OUTCOMES}", item.data["rows"]).read(OUTCOME_SCHEMA)
        whole = table.filter(pc.is_null(table["reason"])).to_pylist()
        counts, samples = Counts(), DroppedExamples(self.config.corpus.samples)
        kept = []
        for draft, rule, detail in self._judged([draft_of(row, self.config.synthesis) for row in whole]):
            counts.add(rule, draft.document.language, size_of(draft.document))
            if rule == KEPT:
                kept.append(draft.document)
            else:
                samples.add(rule, draft.document, detail)
        ids = range(item.data["number"] << 32, (item.data["number"] << 32) + len(kept))
        signatures = FileSignatures(self.config.corpus.near)
        with (
            pq.ParquetWriter(folder / f"{item.name}{DOCUMENTS}", DOCUMENT_SCHEMA, compression="zstd") as documents,
            pq.ParquetWriter(folder / f"{item.name}{SIGNATURES}", signatures.schema, compression="zstd") as found,
        ):
            documents.write_table(documents_table(kept, ids))
            signatures.write(found, kept, ids)
        path = folder / f"{item.name}{DOCUMENTS}"
        rows = RowCounts(len(table), count_rows(path), counts.dropped + len(table) - len(whole))
        return rows, {"counts": counts.rows(), "samples": dict(samples.rules)}

    def _judged(self, drafts: list[Draft]) -> Iterator[tuple[Draft, str, str]]:
        """What becomes of each, with the rule that dropped it."""
        faults = [syntax_fault(draft) if self.config.synthesis.syntax else None for draft in drafts]
        yield from ((draft, "syntax", fault) for draft, fault in zip(drafts, faults, strict=True) if fault)
        good = [draft for draft, fault in zip(drafts, faults, strict=True) if not fault]
        if not self.config.synthesis.execute:
            yield from ((draft, KEPT, "") for draft in good)
            return
        for _, answers in groupby(good, key=lambda draft: draft.document.content.partition("\0")[0]):
            yield from self._executed(list(answers))

    def _executed(self, answers: list[Draft]) -> Iterator[tuple[Draft, str, str]]:
        """Of the answers to one instruction a random one that passes, as StarCoder2-Instruct has it."""
        passed = False
        for draft in sorted(answers, key=lambda each: key_of(self.config.run.seed, "order", each.order)):
            if passed:  # not run: one is enough
                yield draft, "another answer passed", ""
                continue
            rule, detail = self._run(draft)
            passed = rule == KEPT
            yield draft, rule, detail

    def _run(self, draft: Draft) -> tuple[str, str]:
        self._sandbox = self._sandbox or Sandbox(_LIMITS)
        source, tests = program_of(draft)
        if "assert" not in tests:
            return "no tests", ""
        outcome = self._sandbox.run(Program(source, counted(tests)))
        return (KEPT, "") if outcome.passed else (f"tests: {outcome.status}", outcome.error)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sandbox": None}  # each process makes its own


def counted(tests: str) -> str:
    """The tests, which also fail where none of their assertions runs: in functions that nobody calls, say."""
    try:
        tree = _Count().visit(ast.parse(tests))
    except SyntaxError:
        return tests  # which says so when it is run
    return f"__asserted = [0]\n{ast.unparse(tree)}\nassert __asserted[0], 'no assertion was run'"


class _Count(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        return [*ast.parse("__asserted[0] += 1").body, node]


def syntax_fault(draft: Draft) -> str | None:
    if not draft.code:
        return "no code"
    bad = next(
        (block for block in draft.code if parses(block.code, block.language or "", block.dialect) is False), None
    )
    return f"not {bad.language}" if bad else None
