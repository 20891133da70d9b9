"""Files that a rule took, kept for a person to look at: a few for each, the same ones whatever the order."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import xxhash

from snowcoder.corpus.document import Document

_EXCERPT = 800  # characters

DroppedExample = dict[str, Any]


class DroppedExamples:
    """The `count` documents of each rule with the smallest hash of their name."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.rules: defaultdict[str, list[DroppedExample]] = defaultdict(list)

    def add(self, rule: str, document: Document, detail: str) -> None:
        order = xxhash.xxh3_64_intdigest(f"{document.repository}/{document.path}".encode())
        kept = self.rules[rule]
        if len(kept) >= self.count and (not kept or order >= kept[-1]["order"]):
            return
        self.merge({rule: [_sample(order, document, detail)]})

    def merge(self, rules: dict[str, list[DroppedExample]]) -> None:
        for rule, samples in rules.items():
            both = sorted([*self.rules[rule], *samples], key=lambda sample: sample["order"])
            self.rules[rule] = both[: self.count]


def _sample(order: int, document: Document, detail: str) -> DroppedExample:
    return {
        "order": order,
        "repository": document.repository,
        "path": document.path,
        "language": document.language,
        "detail": detail,
        "excerpt": document.content[:_EXCERPT],
    }
