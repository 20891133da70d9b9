"""What is done to a document once it is known to be no copy: decontaminated, then rid of personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from snowcoder.config.schema import Config
from snowcoder.corpus.counts import KEPT, Counts
from snowcoder.corpus.decontamination import Hit, Matcher
from snowcoder.corpus.dedup.repositories import repository_id
from snowcoder.corpus.document import Document, size_of
from snowcoder.corpus.dropped_examples import DroppedExamples
from snowcoder.corpus.pii import Redactor

Row = tuple[int, Document]
EXACT, NEAR, CONTAMINATED = "exact copy", "near copy", "benchmark"
_TOGETHER = 4 << 20  # characters


class Wash:
    @staticmethod
    def decided_by(config: Config) -> dict[str, Any]:
        """All of the config that decides what it does."""
        return {
            "level": config.corpus.near.level,
            "benchmarks": Matcher.build(config.decontamination).digest,
            "pii": config.pii.model_dump(),
            "samples": config.corpus.samples,
        }

    def __init__(self, config: Config, copies: dict[int, float | None]) -> None:
        """`copies`: number of each copy, file or repository, -> its similarity to the one kept, None if equal."""
        self.copies, self.by_file = copies, config.corpus.near.level == "file"
        self.matcher, self.redactor = Matcher.build(config.decontamination), Redactor(config.pii)
        self.counts, self.samples = Counts(), DroppedExamples(config.corpus.samples)
        self.replaced: Counter[str] = Counter()
        self.hits: list[dict[str, Any]] = []

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for some in _together(rows):
            copies = [self._copy(number, document) for number, document in some]
            rest = [document.content for (_, document), copy in zip(some, copies, strict=True) if not copy]
            hits = iter(self.matcher.find_all(rest))
            for (number, document), copy in zip(some, copies, strict=True):
                rule, detail = copy or self._contaminated(document, next(hits)) or (KEPT, "")
                self.counts.add(rule, document.language, size_of(document))
                if rule == KEPT:
                    yield number, self._redacted(document)
                else:
                    self.samples.add(rule, document, detail)

    def _copy(self, number: int, document: Document) -> tuple[str, str] | None:
        """Rule and detail, if it is a copy."""
        unit = number if self.by_file else repository_id(document)
        if unit not in self.copies:
            return None
        similarity = self.copies[unit]
        return (EXACT, "") if similarity is None else (NEAR, f"similarity {similarity:.2f}")

    def _contaminated(self, document: Document, hits: list[Hit]) -> tuple[str, str] | None:
        self.hits += [{"repository": document.repository, "path": document.path, **hit._asdict()} for hit in hits]
        return (CONTAMINATED, f"{hits[0].benchmark} {hits[0].task}") if hits else None

    def _redacted(self, document: Document) -> Document:
        content, found = self.redactor.redact(document)
        self.replaced.update(finding.kind for finding in found)
        return document._replace(content=content)


def _together(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Many at a time: the matcher takes a third less time for each."""
    some: list[Row] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row[1].content)
        if size >= _TOGETHER:
            yield some
            some, size = [], 0
    if some:
        yield some
