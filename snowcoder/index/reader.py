"""Random access to an indexed source: lengths of documents, slices of their token ids."""

from __future__ import annotations

import functools
import mmap
from pathlib import Path
from typing import NamedTuple

import numpy as np

from snowcoder.errors import OperationError
from snowcoder.index.format import open_bin, open_idx
from snowcoder.lineage.manifest import read_manifest

_OPEN_SHARDS = 64


class _Shard(NamedTuple):
    lengths: np.ndarray  # int32 [documents]
    pointers: np.ndarray  # int64 [documents], byte offset in the .bin
    ids: np.memmap  # uint16 or int32 [tokens]


class IndexedSource:
    """One split of a source's folder. Reads only the manifest; shards are mapped when asked for.

    Documents are numbered through the shards in order. Memory and open files do not grow with them.
    """

    def __init__(self, folder: Path, split: str = "train") -> None:
        self.manifest = read_manifest(folder, "snowcoder index build")
        shards = [shard for shard in self.manifest.counts["shards"] if shard[split]["documents"]]
        self.documents: int = self.manifest.counts[split]["documents"]
        self.tokens: int = self.manifest.counts[split]["tokens"]
        # An index of an earlier version does not count them: each document was one.
        self.files: int = self.manifest.counts[split].get("files", self.documents)
        self.prefixes = [folder / split / shard["name"] for shard in shards]
        self.starts = np.cumsum([0, *(shard[split]["documents"] for shard in shards)])
        self._shard = functools.lru_cache(_OPEN_SHARDS)(self._open)

    def lengths(self, documents: np.ndarray) -> np.ndarray:
        """Tokens of each of `documents` (int64 [n], any order, repeats allowed), with end of text: int64 [n]."""
        documents = np.asarray(documents)
        self._check_range(documents)
        # Small numbers are sorted by counting; within a shard documents may stay in any order.
        shards = np.searchsorted(self.starts, documents, side="right") - 1
        order = np.argsort(shards.astype(np.min_scalar_type(len(self.starts))), kind="stable")
        cuts = np.cumsum([0, *np.bincount(shards, minlength=len(self.prefixes))])
        lengths = np.empty(len(documents), np.int64)
        for shard in np.flatnonzero(np.diff(cuts)):
            chosen = order[cuts[shard] : cuts[shard + 1]]
            lengths[chosen] = self._shard(int(shard)).lengths[documents[chosen] - self.starts[shard]]
        return lengths

    def tokens_of(self, document: int, start: int, stop: int) -> np.ndarray:
        """Ids `start` to `stop` of a document: uint16 or int32 [stop - start], fewer where it ends earlier."""
        number, row = self.locate(document)
        shard = self._shard(number)
        first = int(shard.pointers[row]) // shard.ids.itemsize
        stop = min(stop, int(shard.lengths[row]))
        return np.array(shard.ids[first + start : first + stop])

    def locate(self, document: int) -> tuple[int, int]:
        """Number of the shard that holds the document, and its row there."""
        self._check_range(np.array([document]))
        shard = int(np.searchsorted(self.starts, document, side="right")) - 1
        return shard, int(document - self.starts[shard])

    def _check_range(self, documents: np.ndarray) -> None:
        if len(documents) and (documents.min() < 0 or documents.max() >= self.documents):
            raise IndexError(f"{documents.min()} to {documents.max()} of {self.documents} documents")

    def _open(self, number: int) -> _Shard:
        prefix = self.prefixes[number]
        idx = open_idx(prefix.with_suffix(".idx"))
        documents = int(self.starts[number + 1] - self.starts[number])
        if len(idx.lengths) != documents:
            raise OperationError(f"{prefix}.idx: {len(idx.lengths)} documents, not {documents}")
        ids = open_bin(prefix.with_suffix(".bin"), idx.dtype)
        # Documents are read in random order: read-ahead would fetch dozens of times more.
        assert isinstance(ids.base, mmap.mmap)
        ids.base.madvise(mmap.MADV_RANDOM)
        return _Shard(idx.lengths, idx.pointers, ids)
