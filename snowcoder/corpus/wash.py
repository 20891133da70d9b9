"""What is done to a document once it is known to be no copy: decontaminated, then rid of personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from snowcoder.config.schema import Config
from snowcoder.corpus.counts import KEPT, Counts
from snowcoder.corpus.decontamination import Matcher
from snowcoder.corpus.dedup.repositories import repository_id
from snowcoder.corpus.document import Document, size_of
from snowcoder.corpus.dropped_examples import Samples
from snowcoder.corpus.pii import Redactor

Row = tuple[int, Document]
EXACT, NEAR, CONTAMINATED = "exact copy", "near copy", "benchmark"


class Wash:
    def __init__(self, config: Config, copies: dict[int, float | None]) -> None:
        """`copies`: number of each copy, file or repository, -> its similarity to the one kept, None if equal."""
        self.copies, self.by_file = copies, config.corpus.near.level == "file"
        self.matcher, self.redactor = Matcher.build(config.decontamination), Redactor(config.pii)
        self.counts, self.samples = Counts(), Samples(config.corpus.samples)
        self.replaced: Counter[str] = Counter()
        self.hits: list[dict[str, Any]] = []

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for number, document in rows:
            rule, detail = self._fault(number, document)
            self.counts.add(rule, document.language, size_of(document))
            if rule == KEPT:
                yield number, self._redacted(document)
            else:
                self.samples.add(rule, document, detail)

    def _fault(self, number: int, document: Document) -> tuple[str, str]:
        unit = number if self.by_file else repository_id(document)
        if unit in self.copies:
            similarity = self.copies[unit]
            return (EXACT, "") if similarity is None else (NEAR, f"similarity {similarity:.2f}")
        hits = self.matcher.find(document.content)
        self.hits += [{"repository": document.repository, "path": document.path, **hit._asdict()} for hit in hits]
        if hits:
            return CONTAMINATED, f"{hits[0].benchmark} {hits[0].task}"
        return KEPT, ""

    def _redacted(self, document: Document) -> Document:
        content, found = self.redactor.redact(document)
        self.replaced.update(finding.kind for finding in found)
        return document._replace(content=content)
