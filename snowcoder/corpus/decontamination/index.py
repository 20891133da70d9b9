"""Which texts have a hash: two sorted columns, and before them a map of the hashes' first bits that most miss."""

from __future__ import annotations

import numpy as np

_MAP_BITS = 24
_SHIFT = np.uint64(64 - _MAP_BITS)


class Index:
    def __init__(self, hashes: list[np.ndarray]) -> None:
        """Distinct ones, for each text: uint64 [n]."""
        self.totals = [len(each) for each in hashes]
        keys = np.concatenate([*hashes, np.empty(0, np.uint64)])
        order = np.argsort(keys, kind="stable")
        self._keys, self._numbers = keys[order], np.repeat(np.arange(len(hashes)), self.totals)[order]
        self._may_be_there = np.zeros(1 << _MAP_BITS, bool)
        self._may_be_there[keys >> _SHIFT] = True

    def has(self, hashes: np.ndarray) -> np.ndarray:
        """Which of them some text has: uint64 [n] -> bool [n]."""
        there = self._may_be_there.take((hashes >> _SHIFT).view(np.int64))
        few = hashes[there]
        if len(few):
            there[there] = self._keys[np.searchsorted(self._keys[:-1], few)] == few
        return there

    def those_of(self, hashes: np.ndarray) -> np.ndarray:
        """Distinct ones that some text has: uint64 [n] -> uint64 [at most n]."""
        return np.unique(hashes[self.has(hashes)])

    def shares_of(self, hashes: np.ndarray) -> list[tuple[int, float]]:
        """Of each text with any of these distinct ones (uint64 [n]) its number, and which share of its own they are."""
        numbers, counts = np.unique(self.numbers_of(hashes), return_counts=True)
        found = zip(numbers.tolist(), counts.tolist(), strict=True)
        return [(number, count / self.totals[number]) for number, count in found]

    def numbers_of(self, hashes: np.ndarray) -> np.ndarray:
        """The texts of each hash, one after another: uint64 [n] -> int64 [texts of all]."""
        starts, ends = (np.searchsorted(self._keys, hashes, side=side) for side in ("left", "right"))
        spans = [self._numbers[start:end] for start, end in zip(starts, ends, strict=True)]
        return np.concatenate([*spans, self._numbers[:0]])
