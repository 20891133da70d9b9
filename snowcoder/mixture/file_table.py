"""Where the files of a source's documents begin. Two tables on disk, made from the index's sidecars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from snowcoder.index.layout import files_of_documents
from snowcoder.index.reader import IndexedSource
from snowcoder.index.sidecar import read_sidecar
from snowcoder.mixture.tables import new_table, open_table


def files_tables(source: str) -> tuple[str, str]:
    """Names of the tables: the first file of each document, the first token of each file in its document."""
    return f"{source}.first_files.npy", f"{source}.files.npy"


def write_files(folder: Path, source: str, index: IndexedSource) -> None:
    """Write the tables of a source, a shard's documents after the other's."""
    first_name, begins_name = files_tables(source)
    with (
        new_table(folder / first_name, index.documents + 1, np.int64) as first,
        new_table(folder / begins_name, index.files, np.int32) as begins,
    ):
        document = file = 0
        for counts, found in _shards(index):
            first[document + 1 : document + 1 + len(counts)] = file + np.cumsum(counts)
            begins[file : file + len(found)] = found
            document, file = document + len(counts), file + len(found)


def _shards(index: IndexedSource) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each shard: how many files its documents have, and where each file begins."""
    for prefix, documents in zip(index.prefixes, np.diff(index.starts), strict=True):
        if "files" not in index.manifest.counts["train"]:  # of an earlier version: each document was one
            yield np.ones(documents, np.int64), np.zeros(documents, np.int32)
            continue
        files = read_sidecar(prefix, ["files"])["files"]
        counts = files_of_documents(files)
        begins = np.zeros(counts.sum(), np.int32)
        begins[np.repeat(files.is_valid().to_numpy(), counts)] = pc.list_flatten(files).to_numpy()
        yield counts, begins


class FileTable:
    def __init__(self, folder: Path, source: str, index: IndexedSource) -> None:
        first, begins = files_tables(source)
        self._first = open_table(folder / first, index.documents + 1)
        self._begins = open_table(folder / begins, index.files)

    def counts(self, documents: np.ndarray) -> np.ndarray:
        """How many files each of `documents` has: int64 [n] -> int64 [n]."""
        found: np.ndarray = self._first[documents + 1] - self._first[documents]
        return found

    def begins(self, document: int) -> np.ndarray:
        """Where in a document its files begin, with their paths; int64 [its files], tokens. 0 where it is one file."""
        return self._begins[self._first[document] : self._first[document + 1]].astype(np.int64)
