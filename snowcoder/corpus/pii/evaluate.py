"""Precision and recall on lines as source code has them, made up, with what is personal or secret in them.

Of the two halves, labelled.jsonl is what the rules were made with, and held_out.jsonl is not: it was written before the
rules had their present form, and no rule was changed after it was scored. Both are by the same hand, so that a corpus
will have what neither thinks of.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from snowcoder.corpus.pii.redact import find

KINDS = ("email", "ip_address", "key", "password")
LABELLED, HELD_OUT = "labelled.jsonl", "held_out.jsonl"


class Score(NamedTuple):
    precision: float
    recall: float
    labelled: int  # how many there are to find


class Example(NamedTuple):
    text: str
    language: str
    labels: list[tuple[str, str]]  # kind and value


def examples(*names: str) -> list[Example]:
    texts = [Path(__file__).with_name(name).read_text() for name in names or (LABELLED, HELD_OUT)]
    rows = [json.loads(line) for text in texts for line in text.split("\n") if line]
    return [Example(row["text"], row.get("language", ""), [*map(tuple, row.get("labels", []))]) for row in rows]


def evaluate(*names: str) -> dict[str, Score]:
    """By kind, on the files named, or both. A finding is right if it covers a label of its kind, and little more."""
    found: Counter[str] = Counter()
    right: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    recalled: Counter[str] = Counter()
    for text, language, labels in examples(*names):
        values = [(finding.kind, text[finding.start : finding.end]) for finding in find(text, language)]
        found.update(kind for kind, _ in values)
        right.update(value[0] for value in values if any(_same(value, label) for label in labels))
        labelled.update(kind for kind, _ in labels)
        recalled.update(label[0] for label in labels if any(_same(value, label) for value in values))
    return {
        kind: Score(right[kind] / max(1, found[kind]), recalled[kind] / max(1, labelled[kind]), labelled[kind])
        for kind in KINDS
    }


def _same(value: tuple[str, str], label: tuple[str, str]) -> bool:
    return value[0] == label[0] and label[1] in value[1] and len(value[1]) <= len(label[1]) + 4
