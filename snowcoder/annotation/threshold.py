"""Where to cut each language's ranking, so that the files above have a budget of tokens.

Exact, and in the memory of a histogram: scores are not negative, so their bits are in their order. One pass finds the
upper half of the threshold's bits, a second one the lower half, a third one the last file of those with that score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

_HALF = 1 << 16


class Ranked(NamedTuple):
    """A shard's files of one language, in their order."""

    shard: int
    language: str
    rows: np.ndarray  # int64 [files], their places among all files of the shard
    scores: np.ndarray  # float32 [files], none of them negative
    tokens: np.ndarray  # int32 [files]


class Threshold(NamedTuple):
    """Files with a higher score are taken, and those with this one up to the place `shard`, `row`, in this order."""

    score: float
    shard: int
    row: int

    def takes(self, files: Ranked) -> np.ndarray:
        """Which of them: bool [files]."""
        early = (files.shard < self.shard) | ((files.shard == self.shard) & (files.rows <= self.row))
        score = np.float32(self.score)
        found: np.ndarray = (files.scores > score) | ((files.scores == score) & early)
        return found


def find_thresholds(read: Callable[[], Iterable[Ranked]], budgets: dict[str, int]) -> dict[str, Threshold]:
    """For each language the highest threshold with at least its budget of tokens above; `read` is called three times.

    A language whose budget is more than all its tokens is taken whole.
    """
    cuts = {language: _Cut(budget) for language, budget in budgets.items() if budget > 0}
    for half in (0, 1):
        for files in read():
            if files.language in cuts:
                cuts[files.language].add(files.scores.view(np.uint32), files.tokens, half)
        for cut in cuts.values():
            cut.settle(half)
    for files in read():
        if files.language in cuts:
            cuts[files.language].find_last(files)
    return {language: Threshold(cut.score, *cut.last) for language, cut in cuts.items()}


class _Cut:
    """The threshold of a language, as far as it is known."""

    def __init__(self, budget: int) -> None:
        self.left = budget  # tokens still to be found, below what is surely taken
        self.bits = 0
        self.last = (0, -1)
        self._found = np.zeros(_HALF, np.int64)

    @property
    def score(self) -> float:
        return float(np.array([self.bits], np.uint32).view(np.float32)[0])

    def add(self, bits: np.ndarray, tokens: np.ndarray, half: int) -> None:
        if half == 0:
            places = bits >> 16
        else:
            inside = bits >> 16 == self.bits >> 16
            places, tokens = bits[inside] & (_HALF - 1), tokens[inside]
        self._found += np.bincount(places, tokens, _HALF).astype(np.int64)

    def settle(self, half: int) -> None:
        """The place where the tokens from above reach what is to be found, or the lowest one."""
        above = np.cumsum(self._found[::-1])
        place = min(int(np.searchsorted(above, self.left)), _HALF - 1)
        self.left -= int(above[place - 1]) if place else 0
        self.bits |= (_HALF - 1 - place) << (0 if half else 16)
        self._found[:] = 0

    def find_last(self, files: Ranked) -> None:
        """Of those with just this score, in the order of shards and files."""
        equal = np.flatnonzero(files.scores == np.float32(self.score))
        if self.left <= 0 or not len(equal):
            return
        sums = np.cumsum(files.tokens[equal])
        place = min(int(np.searchsorted(sums, self.left)), len(equal) - 1)
        self.last, self.left = (files.shard, int(files.rows[equal[place]])), self.left - int(sums[place])
