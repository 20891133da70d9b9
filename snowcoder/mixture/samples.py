"""The samples of a plan's steps as token ids: a pure function of plan and step."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from snowcoder.errors import UserError
from snowcoder.index.reader import IndexedSource
from snowcoder.mixture.plan import Plan
from snowcoder.mixture.stream import TokenStream, Window


class Samples(NamedTuple):
    tokens: np.ndarray  # int64 [n, sequence + 1]: inputs and, shifted by one, labels
    starts: list[np.ndarray]  # for each row, offsets in [0, sequence] where a document begins; 0 comes first


class SampleReader:
    """Opens a source when a batch first needs it, and checks that it is the one that was planned."""

    def __init__(self, plan: Plan, plan_dir: Path, index_dir: Path) -> None:
        self.plan, self.plan_dir, self.index_dir = plan, plan_dir, index_dir
        self._streams: dict[str, TokenStream] = {}
        self._held_out: dict[str, IndexedSource] = {}

    def batch(self, step: int, slots: list[int]) -> Samples:
        """The samples at `slots` of the global batch of a step."""
        draws = self.plan.draws(step)
        length = self.plan.phase_at(step).sequence_length
        chosen = [draws[slot] for slot in slots]
        return _stack([self._stream(draw.source).window(draw.position, length + 1) for draw in chosen])

    def held_out_windows(self, source: str, length: int) -> int:
        """How many windows of `length` tokens the held-out documents of a source fill."""
        return max(0, (self._held_out_index(source).tokens - 1) // length)

    def held_out(self, source: str, first: int, count: int, length: int) -> Samples:
        """Windows `first` to `first + count` of the held-out documents, in the order of the index."""
        index = self._held_out_index(source)
        ends = np.cumsum(index.lengths(np.arange(index.documents)))
        return _stack([_in_order(index, ends, n * length, length + 1) for n in range(first, first + count)])

    def _stream(self, source: str) -> TokenStream:
        if source not in self._streams:
            index = IndexedSource(self.index_dir / source)
            planned = next(s for phase in self.plan.phases for s in phase.sources if s.name == source)
            if index.manifest.digest != planned.index:
                raise UserError(f"the index in {self.index_dir / source} is not the one that was planned: run `snowcoder plan`")
            self._streams[source] = TokenStream(self.plan_dir, source, index, self.plan.seed)
        return self._streams[source]

    def _held_out_index(self, source: str) -> IndexedSource:
        if source not in self._held_out:
            self._held_out[source] = IndexedSource(self.index_dir / source, "held_out")
        return self._held_out[source]


def _in_order(index: IndexedSource, ends: np.ndarray, position: int, length: int) -> Window:
    document = int(np.searchsorted(ends, position, side="right"))
    begin = position - (int(ends[document - 1]) if document else 0)
    pieces: list[np.ndarray] = []
    starts, filled = [0], 0
    while filled < length:
        if filled:
            starts.append(filled)
        pieces.append(index.tokens_of(document, begin, begin + length - filled))
        filled += len(pieces[-1])
        begin, document = 0, document + 1
    return Window(np.concatenate(pieces).astype(np.int64), np.array(starts))


def _stack(windows: list[Window]) -> Samples:
    return Samples(np.stack([window.tokens for window in windows]), [window.starts for window in windows])
