"""The last step: what is left of a part, washed as raw files are, as shards or as conversations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from snowcoder.config.schema import Config
from snowcoder.corpus.counts import KEPT, Counts
from snowcoder.corpus.dedup.resolve import COPIES
from snowcoder.corpus.document import DOCUMENT_SCHEMA, DOCUMENTS, Document, documents_of
from snowcoder.corpus.dropped_examples import DroppedExamples
from snowcoder.corpus.group_step import write_shard
from snowcoder.corpus.grouping import Group
from snowcoder.corpus.shuffled_shard import read_partition
from snowcoder.corpus.wash import Wash
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import Output
from snowcoder.lineage.rows import RowCounts
from snowcoder.stages.output import OutputShards
from snowcoder.stages.steps import Record, Step, WorkItem
from snowcoder.stages.tables import Table
from snowcoder.storage.digest import digest_file
from snowcoder.storage.objects import Store
from snowcoder.storage.store import open_store
from snowcoder.synthesis.draft import conversation

CHAT = ".chat.jsonl"
Stored = tuple[dict[str, Any] | None, int]  # an output, and its rows
SIDES = ("python", "other")  # of shards, so that a phase can mix them


class Publish(Step):
    """Shards go to where the config says. In the step's folder are the records, and conversations."""

    def __init__(self, folder: Path, config: Config, copies: Table) -> None:
        super().__init__(folder)
        self.config, self.copies = config, copies

    def work_items(self, given: Path, checked: list[Record], copies: Record) -> list[WorkItem]:
        """`given`: where what was checked lies."""
        items = []
        for number, record in enumerate(checked):
            (documents,) = record.tables_in(given, DOCUMENTS)
            data = {"number": number, "documents": str(documents.path), "rows": documents.rows}
            size = documents.path.stat().st_size
            items.append(self.work_item(record.name, [record.digest, copies.digest], data, size))
        return items

    def decided_by(self) -> dict[str, Any]:
        return {
            **Wash.decided_by(self.config),
            "columns": self.config.index.columns.model_dump(),
            "recipe": self.config.synthesis.model_dump(include={"chat", "python", "other"}),
        }

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        tables = read_partition([self.copies], COPIES, item.data["number"])
        copies = {row["id"]: row["similarity"] for table in tables for row in table.to_pylist()}
        wash = Wash(self.config, copies)
        given = Table(Path(item.data["documents"]), item.data["rows"])
        documents = [document for _, document in wash(documents_of(given.read(DOCUMENT_SCHEMA)))]
        synthesis = self.config.synthesis
        if synthesis.chat is None:
            found = {side: self._write(side, documents, item, folder) for side in SIDES}
            shards, written = {side: shard for side, (shard, _) in found.items()}, sum(n for _, n in found.values())
        else:
            text = b"".join(orjson.dumps(conversation(d.content, synthesis.chat.system)) + b"\n" for d in documents)
            (folder / f"{item.name}{CHAT}").write_bytes(text)
            shards, written = {}, text.count(b"\n")
        examples = DroppedExamples(self.config.corpus.samples)
        for document in documents:
            examples.add(KEPT, document, "")
        return RowCounts(given.rows, written, wash.counts.dropped), {
            "counts": wash.counts.rows(),
            "samples": dict(wash.samples.rules) | dict(examples.rules),
            "replaced": dict(wash.replaced),
            "hits": wash.hits,
            "shards": shards,
            "sizes": [[len(document.content), document.content.count("\n") + 1] for document in documents],
        }

    def find(self, item: WorkItem) -> Record | None:
        record = super().find(item)
        if record is None or all(self._is_stored(side, output) for side, output in shards_of(record)):
            return record
        return None

    def _write(self, side: str, documents: Iterable[Document], item: WorkItem, folder: Path) -> Stored:
        groups = [
            Group([document], document.repository, document.language)
            for document in documents
            if side_of(document) == side
        ]
        if not groups:
            return None, 0
        path, name = folder / "shard", f"{item.name}.parquet"
        rows = write_shard(path, groups, self.config.index.columns, Counts())
        output = {"name": name, "bytes": path.stat().st_size, "digest": digest_file(path)}
        self._store(side).write_file(name, path)
        path.unlink()
        return output, rows

    def _is_stored(self, side: str, output: Output) -> bool:
        there = self._store(side).stat(output.name)
        return bool(there and there.bytes == output.bytes)

    def _store(self, side: str) -> Store:
        return open_store(str(output_of(self.config, side)), self.config.storage)


def side_of(document: Document) -> str:
    return "python" if document.language == "Python" else "other"


def output_of(config: Config, side: str) -> str | None:
    return config.synthesis.python if side == "python" else config.synthesis.other


def shards_of(record: Record) -> list[tuple[str, Output]]:
    return [(side, Output(**shard)) for side, shard in record.counts["shards"].items() if shard]


def open_outputs(config: Config) -> dict[str, OutputShards]:
    """Raises UserError where shards of another origin lie."""
    if config.synthesis.chat:
        return {}
    if output_of(config, "python") == output_of(config, "other"):
        raise UserError(
            f"synthesis.python and synthesis.other are both {config.synthesis.python}: files in Python and others need "
            "places of their own, as index.sources.synthetic_python and .synthetic_other are by default"
        )
    work = Path(config.synthesis.dir)
    return {
        side: OutputShards(str(output_of(config, side)), f"synthesis.{side}", config.storage, work / side)
        for side in SIDES
    }
