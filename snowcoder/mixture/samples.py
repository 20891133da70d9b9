"""The samples of a plan's steps as token ids: a pure function of plan and step."""

from __future__ import annotations

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
    """Maps the tables of a plan and the indexes it was made from; reads what a batch asks for.

    Raises `UserError` if an index is not the one that was planned.
    """

    def __init__(self, plan: Plan, plan_dir: Path, index_dir: Path) -> None:
        self.plan = plan
        self._train: dict[str, TokenStream] = {}
        self._held_out: dict[str, TokenStream] = {}
        for name, epochs in plan.epochs().items():
            train = IndexedSource(index_dir / name)
            if train.manifest.digest != plan.indexes[name]:
                raise UserError(
                    f"the index in {index_dir / name} is not the one that was planned: run `snowcoder plan`"
                )
            self._train[name] = TokenStream(plan_dir, name, train, epochs, plan.seed)
            held_out = IndexedSource(index_dir / name, "held_out")
            epochs = 1 if held_out.documents else 0
            self._held_out[name] = TokenStream(plan_dir, held_out_name(name), held_out, epochs, plan.seed)

    def batch(self, step: int, slots: Sequence[int]) -> Samples:
        """The samples at `slots` of the global batch of a step."""
        draws = self.plan.draws(step)
        length = self.plan.phase_at(step).sequence_length
        chosen = [draws[slot] for slot in slots]
        return _stack([self._train[d.source].window(d.position, length + 1) for d in chosen])

    def held_out_windows(self, source: str, length: int) -> int:
        """How many windows of `length` tokens the held-out documents of a source fill."""
        return max(0, self._held_out[source].index.tokens - 1) // length

    def held_out(self, source: str, first: int, count: int, length: int) -> Samples:
        """Windows `first` to `first + count` of the held-out documents, in a shuffled order, so
        that the first few windows stand for the whole."""
        stream = self._held_out[source]
        return _stack([stream.window(n * length, length + 1) for n in range(first, first + count)])


def _stack(windows: list[Window]) -> Samples:
    return Samples(np.stack([w.tokens for w in windows]), [w.starts for w in windows])
