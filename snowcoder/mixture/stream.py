"""A source's tokens as an endless stream: its documents in a new order each epoch.

Any position is found without a list of documents in memory: a table on disk says where the
documents of an epoch begin, and which document has which rank is computed.
"""

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
    starts: np.ndarray  # offsets where a document begins; 0 comes first even amid one


class Epoch(NamedTuple):
    """One pass over all documents of a stream, in an order of its own."""

    stream: str  # the source's name, or `held_out_name` of it
    number: int

    @property
    def file(self) -> str:
        return f"{self.stream}.epoch{self.number}.starts.npy"

    def documents(self, ranks: np.ndarray, count: int, seed: int) -> np.ndarray:
        """Which of `count` documents come at these ranks."""
        return permute(ranks, count, key_of(seed, "documents", self.stream, self.number))


def held_out_name(source: str) -> str:
    return f"{source}.held_out"


def write_starts(folder: Path, epoch: Epoch, index: IndexedSource, seed: int) -> None:
    """Write where in the epoch each document begins (int64, tokens), in order. Bounded memory."""
    with atomic_path(folder / epoch.file) as path:
        starts = np.lib.format.open_memmap(path, "w+", np.int64, (index.documents,))
        total = 0
        for first in range(0, index.documents, _CHUNK):
            ranks = np.arange(first, min(first + _CHUNK, index.documents))
            lengths = index.lengths(epoch.documents(ranks, index.documents, seed))
            starts[ranks[0] : ranks[-1] + 1] = total + np.cumsum(lengths) - lengths
            total += int(lengths.sum())
        starts.flush()


class TokenStream:
    """Reads windows of a stream's first `epochs` epochs, whose tables lie in `folder`."""

    def __init__(self, folder: Path, name: str, index: IndexedSource, epochs: int, seed: int) -> None:
        self.index, self.seed = index, seed
        self._epochs = [Epoch(name, number) for number in range(epochs)]
        self._starts = [_open(folder / epoch.file, index) for epoch in self._epochs]

    def window(self, position: int, length: int) -> Window:
        """The stream's tokens [position, position + length)."""
        epoch, first = divmod(position, self.index.tokens)
        pieces: list[np.ndarray] = []
        missing = length
        while missing:
            stop = min(first + missing, self.index.tokens)
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
        documents = self._epochs[epoch].documents(ranks, self.index.documents, self.seed)
        return [
            self.index.tokens_of(document, max(0, first - begin), stop - begin)
            for document, begin in zip(documents.tolist(), table[ranks].tolist(), strict=True)
        ]


def _open(path: Path, index: IndexedSource) -> np.ndarray:
    try:
        starts = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise OperationError(f"{path} cannot be read ({error}): run `snowcoder plan`") from None
    if len(starts) != index.documents:
        raise OperationError(f"{path} has {len(starts)} documents, the index {index.documents}: run `snowcoder plan`")
    return starts
