"""How right the data rules are: precision and recall on examples with labels, which lie here, two files a rule.

`RULE.tuned.jsonl` is what a rule was made with; `RULE.held_out.jsonl` is not: it was written apart from the rule, and
the rule was not changed after it was scored. A corpus has what neither thinks of.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

TUNED, HELD_OUT = "tuned", "held_out"


class RuleScore(NamedTuple):
    precision: float  # of what is found, the share that is labelled; 1 where nothing is found
    recall: float  # of what is labelled, the share that is found; 1 where nothing is labelled
    labelled: int  # how many there are to find


def read(rule: str, *halves: str) -> list[dict[str, Any]]:
    """Examples of a rule, as its JSON rows have them; of both halves where none is named."""
    texts = [Path(__file__).with_name(f"{rule}.{half}.jsonl").read_text() for half in halves or (TUNED, HELD_OUT)]
    return [json.loads(line) for text in texts for line in text.split("\n") if line]


class Tally:
    """Counts, for each kind of thing that a rule finds, what is found, what is labelled, and what is both."""

    def __init__(self) -> None:
        self._found: Counter[str] = Counter()
        self._right: Counter[str] = Counter()
        self._labelled: Counter[str] = Counter()
        self._recalled: Counter[str] = Counter()

    def add(self, kind: str, found: bool, labelled: bool) -> None:
        """One example of a rule that says yes or no."""
        self.add_found(kind, right=labelled, count=int(found))
        self.add_labelled(kind, recalled=found, count=int(labelled))

    def add_found(self, kind: str, right: bool, count: int = 1) -> None:
        self._found[kind] += count
        self._right[kind] += count * right

    def add_labelled(self, kind: str, recalled: bool, count: int = 1) -> None:
        self._labelled[kind] += count
        self._recalled[kind] += count * recalled

    def scores(self) -> dict[str, RuleScore]:
        """By kind, in the order in which they came."""
        return {kind: self._score(kind) for kind in dict.fromkeys([*self._labelled, *self._found])}

    def _score(self, kind: str) -> RuleScore:
        found, labelled = self._found[kind], self._labelled[kind]
        precision = self._right[kind] / found if found else 1.0
        return RuleScore(precision, self._recalled[kind] / labelled if labelled else 1.0, labelled)
