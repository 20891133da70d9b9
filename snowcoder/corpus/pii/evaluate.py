"""Precision and recall on lines as source code has them, made up, with what is personal or secret in them.

Both halves are by the same hand, so that a corpus will have what neither thinks of.
"""

from __future__ import annotations

from typing import NamedTuple

from snowcoder.corpus.labelled import RuleScore, Tally, read
from snowcoder.corpus.pii.redact import find_personal_data


class Example(NamedTuple):
    text: str
    language: str
    labels: list[tuple[str, str]]  # kind and value


def examples(*halves: str) -> list[Example]:
    rows = read("pii", *halves)
    return [Example(row["text"], row.get("language", ""), [*map(tuple, row.get("labels", []))]) for row in rows]


def evaluate(*halves: str) -> dict[str, RuleScore]:
    """By kind, on the halves named, or both. A finding is right if it covers a label of its kind, and little more."""
    tally = Tally()
    for text, language, labels in examples(*halves):
        values = [(finding.kind, text[finding.start : finding.end]) for finding in find_personal_data(text, language)]
        for value in values:
            tally.add_found(value[0], any(_same(value, label) for label in labels))
        for label in labels:
            tally.add_labelled(label[0], any(_same(value, label) for value in values))
    return tally.scores()


def _same(value: tuple[str, str], label: tuple[str, str]) -> bool:
    return value[0] == label[0] and label[1] in value[1] and len(value[1]) <= len(label[1]) + 4
