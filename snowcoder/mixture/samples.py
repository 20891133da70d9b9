"""The samples of a plan's steps as token ids: a pure function of plan and step."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from snowcoder.errors import UserError
from snowcoder.index.fim import fim_of
from snowcoder.index.reader import IndexedSource
from snowcoder.mixture.documents import Documents, FimDocuments, Indexed
from snowcoder.mixture.file_table import FileTable
from snowcoder.mixture.phase_plan import Plan
from snowcoder.mixture.stream import TokenStream, Window, held_out_name
from snowcoder.tokenization.load import Tokenizer
from snowcoder.tokenization.special import FIM_PAD


class Samples(NamedTuple):
    tokens: np.ndarray  # int64 [n, sequence + 1]: inputs and, shifted by one, labels
    # For each row, offsets in 0..sequence where a document begins, int64 [its documents]; 0 comes first even amid one.
    starts: list[np.ndarray]
    loss_mask: np.ndarray  # bool [n, sequence]: False where the label is padding


class SampleReader:
    """Opens a source when a batch first needs it: those of later phases need not be there yet.

    Raises `UserError` if its index is not the one that was planned. `tokenizer`: for plans with fill-in-the-middle.
    """

    def __init__(self, plan: Plan, plan_dir: Path, index_dir: Path, tokenizer: Tokenizer | None = None) -> None:
        self.plan, self.plan_dir, self.index_dir, self.tokenizer = plan, plan_dir, index_dir, tokenizer
        self._padding = tokenizer.special(FIM_PAD) if tokenizer and plan.fim else None
        self._stream = functools.cache(self._open)

    def batch(self, step: int, slots: Sequence[int]) -> Samples:
        """The samples at `slots` of the global batch of a step."""
        draws = self.plan.draws(step)
        length = self.plan.phase_at(step).sequence_length
        chosen = [draws[slot] for slot in slots]
        return self._stack([self._stream(d.source, "train").window(d.position, length + 1) for d in chosen])

    def held_out_windows(self, source: str, length: int) -> int:
        """How many windows of `length` tokens the held-out documents of a source fill."""
        return max(0, self._stream(source, "held_out").source.tokens - 1) // length

    def held_out(self, source: str, first: int, count: int, length: int) -> Samples:
        """Windows `first` to `first + count` of the held-out documents, in a shuffled order, so that the first few
        windows stand for the whole. Without fill-in-the-middle: their loss can be compared between runs."""
        stream = self._stream(source, "held_out")
        return self._stack([stream.window(n * length, length + 1) for n in range(first, first + count)])

    def _open(self, source: str, split: str) -> TokenStream:
        folder, seed = self.index_dir / source, self.plan.seed
        index = IndexedSource(folder, split)
        if index.manifest.digest != self.plan.indexes[source]:
            raise UserError(f"the index in {folder} is not the one that was planned: run `snowcoder plan`")
        if split == "train":
            return TokenStream(self.plan_dir, source, self._documents(source, index), self.plan.epochs()[source], seed)
        epochs = 1 if index.documents else 0
        return TokenStream(self.plan_dir, held_out_name(source), Indexed(index), epochs, seed)

    def _documents(self, source: str, index: IndexedSource) -> Documents:
        if self.plan.fim is None:
            return Indexed(index)
        assert self.tokenizer is not None
        fim, files = fim_of(index, self.plan.fim, self.tokenizer), FileTable(self.plan_dir, source, index)
        return FimDocuments(index, files, fim, source, self.plan.seed)

    def _stack(self, windows: list[Window]) -> Samples:
        tokens = np.stack([window.tokens for window in windows])
        labels = tokens[:, 1:]
        # No text becomes the padding's id, so that it is nothing else.
        mask = np.ones(labels.shape, bool) if self._padding is None else labels != self._padding
        return Samples(tokens, [window.starts for window in windows], mask)
