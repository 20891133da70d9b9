"""A source's tokens as an endless stream: its documents in a new order each epoch.

Any position is found without a list of documents in memory: a table on disk says where the
documents of an epoch begin, and which document has which rank is computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from snowcoder.index.reader import IndexedSource
from snowcoder.mixture.documents import Documents, Rooms
from snowcoder.mixture.tables import new_table, open_table
from snowcoder.permutation import key_of, permute

_CHUNK = 1 << 20


class Window(NamedTuple):
    tokens: np.ndarray  # int64 [length]
    starts: np.ndarray  # int64 [documents in it], offsets where a document begins; 0 comes first even amid one


class Epoch(NamedTuple):
    """One pass over all documents of a stream, in an order of its own."""

    stream: str  # the source's name, or `held_out_name` of it
    number: int

    @property
    def file(self) -> str:
        return f"{self.stream}.epoch{self.number}.starts.npy"

    def documents(self, ranks: np.ndarray, count: int, seed: int) -> np.ndarray:
        """Which of `count` documents come at these ranks: int64 [n] -> int64 [n]."""
        return permute(ranks, count, key_of(seed, "documents", self.stream, self.number))


def held_out_name(source: str) -> str:
    return f"{source}.held_out"


def write_starts(folder: Path, epoch: Epoch, source: IndexedSource | Rooms, seed: int) -> None:
    """Write where in the epoch each document begins (int64, tokens), in order. Bounded memory."""
    count = source.documents
    with new_table(folder / epoch.file, count, np.int64) as starts:
        total = 0
        for first in range(0, count, _CHUNK):
            ranks = np.arange(first, min(first + _CHUNK, count))
            lengths = source.lengths(epoch.documents(ranks, count, seed))
            starts[ranks[0] : ranks[-1] + 1] = total + np.cumsum(lengths) - lengths
            total += int(lengths.sum())


class TokenStream:
    """Reads windows of a stream's first `epochs` epochs, whose tables lie in `folder`."""

    def __init__(self, folder: Path, name: str, source: Documents, epochs: int, seed: int) -> None:
        self.source, self.seed = source, seed
        self._epochs = [Epoch(name, number) for number in range(epochs)]
        self._starts = [open_table(folder / epoch.file, source.documents) for epoch in self._epochs]

    def window(self, position: int, length: int) -> Window:
        """The stream's tokens [position, position + length)."""
        epoch, first = divmod(position, self.source.tokens)
        pieces: list[np.ndarray] = []
        missing = length
        while missing:
            stop = min(first + missing, self.source.tokens)
            pieces += self._read(epoch, first, stop)
            missing -= stop - first
            epoch, first = epoch + 1, 0
        starts = np.cumsum([0, *map(len, pieces[:-1])])
        return Window(np.concatenate(pieces).astype(np.int64), starts)

    def _read(self, epoch: int, first: int, stop: int) -> list[np.ndarray]:
        """Tokens [first, stop) of an epoch, an array for each document."""
        table = self._starts[epoch]
        low, high = np.searchsorted(table, [first, stop - 1], side="right") - 1
        ranks = np.arange(low, high + 1)
        documents = self._epochs[epoch].documents(ranks, self.source.documents, self.seed)
        return [
            self.source.read(epoch, document, max(0, first - begin), stop - begin)
            for document, begin in zip(documents.tolist(), table[ranks].tolist(), strict=True)
        ]
