"""The documents that a stream consists of: as they are indexed, or with fill-in-the-middle.

The length of a document must not depend on what becomes of its files: the stream is cut into windows before anything
is read. So each file has a room, a little longer than itself, and padding fills what it leaves. The padding comes after
the token that ends the file, so that a model still learns to end one.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from snowcoder.index.fim import Fim, file_key
from snowcoder.index.reader import IndexedSource
from snowcoder.mixture.file_table import FileTable


class Documents(Protocol):
    documents: int
    tokens: int  # of all documents, the same in each epoch

    def lengths(self, documents: np.ndarray) -> np.ndarray:
        """Tokens of each of `documents`: int64 [n] -> int64 [n]."""
        ...

    def read(self, epoch: int, document: int, start: int, stop: int) -> np.ndarray:
        """Ids `start` to `stop` of a document: uint16 or int32 [stop - start], fewer where it ends earlier."""
        ...


class Indexed:
    """Documents as they are in the index: ids uint16 or int32 [n]."""

    def __init__(self, index: IndexedSource) -> None:
        self.documents, self.tokens, self.lengths = index.documents, index.tokens, index.lengths
        self._index = index

    def read(self, epoch: int, document: int, start: int, stop: int) -> np.ndarray:
        return self._index.tokens_of(document, start, stop)


class Rooms:
    """Lengths (int64 [n]) of documents whose files have `reserved` tokens of room besides their own."""

    def __init__(self, index: IndexedSource, files: FileTable, reserved: int) -> None:
        self.documents, self.tokens = index.documents, index.tokens + reserved * index.files
        self._index, self._files, self._reserved = index, files, reserved

    def lengths(self, documents: np.ndarray) -> np.ndarray:
        found: np.ndarray = self._index.lengths(documents) + self._reserved * self._files.counts(np.asarray(documents))
        return found


class FimDocuments(Rooms):
    """Documents whose files are transformed when they are read, by (seed, source, document, epoch, file).

    Their ids are uint16 or int32 [n].
    """

    def __init__(self, index: IndexedSource, files: FileTable, fim: Fim, source: str, seed: int) -> None:
        super().__init__(index, files, fim.config.reserved)
        self._fim, self._source, self._seed = fim, source, seed

    def read(self, epoch: int, document: int, start: int, stop: int) -> np.ndarray:
        begins = self._files.begins(document)
        ends = np.append(begins[1:], self._index.lengths(np.array([document])))
        moved = self._reserved * np.arange(len(begins) + 1)  # by the rooms before a file
        rooms, room_ends = begins + moved[:-1], ends + moved[1:]
        pieces = [self._index.tokens_of(document, start, min(stop, int(begins[0])))]  # of the repository's name
        low, high = np.searchsorted(room_ends, start, "right"), np.searchsorted(rooms, stop)
        for file in range(low, high):
            key = file_key(self._seed, self._source, document, epoch, file)
            first, last = max(0, start - int(rooms[file])), stop - int(rooms[file])
            pieces.append(self._room(key, document, int(begins[file]), int(ends[file]), first, last))
        return np.concatenate(pieces)

    def _room(self, key: int, document: int, begin: int, end: int, first: int, last: int) -> np.ndarray:
        """Ids `first` to `last` of the room of a file, which lies at `begin` to `end` of its document."""
        if self._fim.takes(key, end - begin):
            ids = self._fim(self._index.tokens_of(document, begin, end), key, begin > 0)[first:last]
        else:  # nothing of it is read that is not wanted
            ids = self._index.tokens_of(document, min(begin + first, end), begin + min(last, end - begin))
        padding = min(last, end - begin + self._reserved) - first - len(ids)
        return np.append(ids, np.full(padding, self._fim.padding, ids.dtype))
