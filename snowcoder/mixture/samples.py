"""The samples of a plan's steps as token ids: a pure function of plan and step."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from snowcoder.errors import UserError
from snowcoder.index.reader import IndexedSource
from snowcoder.mixture.plan import Plan
from snowcoder.mixture.stream import TokenStream, Window, held_out_name


class Samples(NamedTuple):
    tokens: np.ndarray  # int64 [n, sequence + 1]: inputs and, shifted by one, labels
    # For each row, offsets in [0, sequence] where a document begins; 0 comes first even amid one.
    starts: list[np.ndarray]


class SampleReader:
    """Opens a source when a batch first needs it: those of later phases need not be there yet.

    Raises `UserError` if its index is not the one that was planned.
    """

    def __init__(self, plan: Plan, plan_dir: Path, index_dir: Path) -> None:
        self.plan, self.plan_dir, self.index_dir = plan, plan_dir, index_dir
        self._stream = functools.cache(self._open)

    def batch(self, step: int, slots: Sequence[int]) -> Samples:
        """The samples at `slots` of the global batch of a step."""
        draws = self.plan.draws(step)
        length = self.plan.phase_at(step).sequence_length
        chosen = [draws[slot] for slot in slots]
        return _stack([self._stream(d.source, "train").window(d.position, length + 1) for d in chosen])

    def held_out_windows(self, source: str, length: int) -> int:
        """How many windows of `length` tokens the held-out documents of a source fill."""
        return max(0, self._stream(source, "held_out").index.tokens - 1) // length

    def held_out(self, source: str, first: int, count: int, length: int) -> Samples:
        """Windows `first` to `first + count` of the held-out documents, in a shuffled order, so that the first few
        windows stand for the whole."""
        stream = self._stream(source, "held_out")
        return _stack([stream.window(n * length, length + 1) for n in range(first, first + count)])

    def _open(self, source: str, split: str) -> TokenStream:
        folder, seed = self.index_dir / source, self.plan.seed
        index = IndexedSource(folder, split)
        if index.manifest.digest != self.plan.indexes[source]:
            raise UserError(f"the index in {folder} is not the one that was planned: run `snowcoder plan`")
        if split == "train":
            return TokenStream(self.plan_dir, source, index, self.plan.epochs()[source], seed)
        epochs = 1 if index.documents else 0
        return TokenStream(self.plan_dir, held_out_name(source), index, epochs, seed)


def _stack(windows: list[Window]) -> Samples:
    return Samples(np.stack([w.tokens for w in windows]), [w.starts for w in windows])
