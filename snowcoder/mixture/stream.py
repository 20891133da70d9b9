"""A source's token stream: its documents in a new order each epoch, at any position, without a list of them in memory."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from snowcoder.errors import OperationError
from snowcoder.index.reader import IndexedSource
from snowcoder.mixture.shuffle import key_of, permute
from snowcoder.storage.atomic import atomic_path

_CHUNK = 1 << 20


class Window(NamedTuple):
    tokens: np.ndarray  # int64
    starts: np.ndarray  # offsets in the window where a document begins; 0 comes first even amid one


def ends_name(source: str, epoch: int) -> str:
    return f"{source}.epoch{epoch}.ends.npy"


def write_ends(folder: Path, name: str, index: IndexedSource, seed: int, epoch: int) -> None:
    """Write where each document ends (int64, tokens), in the order of one epoch. Bounded memory."""
    key = key_of(seed, "documents", name, epoch)
    with atomic_path(folder / ends_name(name, epoch)) as path:
        # open_memmap would append nothing to the name, unlike np.save
        ends = np.lib.format.open_memmap(path, "w+", np.int64, (index.documents,))
        total = 0
        for first in range(0, index.documents, _CHUNK):
            ranks = np.arange(first, min(first + _CHUNK, index.documents))
            lengths = index.lengths(permute(ranks, index.documents, key))
            ends[ranks[0] : ranks[-1] + 1] = total + np.cumsum(lengths)
            total = int(ends[ranks[-1]])
        ends.flush()


class TokenStream:
    """Reads windows of one source; opens each epoch's ends when first needed."""

    def __init__(self, folder: Path, name: str, index: IndexedSource, seed: int) -> None:
        self.folder, self.name, self.index, self.seed = folder, name, index, seed
        self._ends: dict[int, np.ndarray] = {}

    def window(self, position: int, length: int) -> Window:
        """The stream's tokens [position, position + length)."""
        epoch, offset = divmod(position, self.index.tokens)
        rank = int(np.searchsorted(self._epoch(epoch), offset, side="right"))
        pieces: list[np.ndarray] = []
        starts, filled = [0], 0
        begin = offset - self._start_of(epoch, rank)
        while filled < length:
            if filled:
                starts.append(filled)
            document = int(permute(np.array([rank]), self.index.documents, self._key(epoch))[0])
            pieces.append(self.index.tokens_of(document, begin, begin + length - filled))
            filled += len(pieces[-1])
            begin, rank = 0, rank + 1
            if rank == self.index.documents:
                epoch, rank = epoch + 1, 0
        return Window(np.concatenate(pieces).astype(np.int64), np.array(starts))

    def _start_of(self, epoch: int, rank: int) -> int:
        return int(self._epoch(epoch)[rank - 1]) if rank else 0

    def _key(self, epoch: int) -> int:
        return key_of(self.seed, "documents", self.name, epoch)

    def _epoch(self, epoch: int) -> np.ndarray:
        if epoch not in self._ends:
            path = self.folder / ends_name(self.name, epoch)
            try:
                self._ends[epoch] = np.load(path, mmap_mode="r")
            except (FileNotFoundError, ValueError) as error:
                raise OperationError(f"{path} cannot be read ({error}): run `snowcoder plan` again") from None
        return self._ends[epoch]
