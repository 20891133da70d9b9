"""Precision and recall on labelled.jsonl: lines as source code has them, made up, with what is personal or secret."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from snowcoder.corpus.pii.redact import find

KINDS = ("email", "ip_address", "key", "password")


class Score(NamedTuple):
    precision: float
    recall: float
    labelled: int  # how many there are to find


class Example(NamedTuple):
    text: str
    labels: list[tuple[str, str]]  # kind and value


def examples() -> list[Example]:
    lines = Path(__file__).with_name("labelled.jsonl").read_text().splitlines()
    rows = map(json.loads, lines)
    return [Example(row["text"], [(kind, value) for kind, value in row.get("labels", [])]) for row in rows]


def evaluate() -> dict[str, Score]:
    """By kind. A finding is right if it has a label's kind and covers its value, and little more."""
    right: Counter[str] = Counter()
    found: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    for example in examples():
        values = [(finding.kind, example.text[finding.start : finding.end]) for finding in find(example.text)]
        found.update(kind for kind, _ in values)
        labelled.update(kind for kind, _ in example.labels)
        right.update(kind for kind, value in values if any(kind == k and _same(value, v) for k, v in example.labels))
    return {
        kind: Score(right[kind] / max(1, found[kind]), right[kind] / max(1, labelled[kind]), labelled[kind])
        for kind in KINDS
    }


def _same(value: str, label: str) -> bool:
    return label in value and len(value) <= len(label) + 4
