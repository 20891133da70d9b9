"""Write one split of a shard: .bin, .idx and the sidecar, which appear together or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snowcoder.index.format import write_idx
from snowcoder.storage.atomic import atomic_path

SPLITS = ("train", "held_out")
SUFFIXES = (".bin", ".idx", ".docs.parquet")

# One row per document, in the order of the .idx. Null: the shard does not say.
SIDECAR = pa.schema(
    {
        "repository": pa.string(),
        "path": pa.string(),
        "language": pa.string(),
        "licence": pa.string(),
        "content_hash": pa.binary(16),  # xxh3-128 of the UTF-8 content
        "bytes": pa.int64(),  # of the UTF-8 content
        "tokens": pa.int32(),  # with end of text
        "files": pa.list_(pa.int32()),  # of several: the token at which each begins, with its path; null: it is one
    }
)


class SplitWriter:
    def __init__(self, file: IO[bytes], sidecar: pq.ParquetWriter, dtype: np.dtype) -> None:
        self._file, self._sidecar, self._dtype = file, sidecar, dtype
        self._lengths: list[np.ndarray] = []

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each document so far, int32 [documents]: all that is kept of them."""
        return np.concatenate(self._lengths)

    def append(self, ids: np.ndarray, rows: pa.Table) -> None:
        """Add the documents of `rows`, whose ids lie one after the other in `ids` (uint16 or int32 [tokens])."""
        assert pc.sum(rows["tokens"]).as_py() == len(ids), f"{len(ids)} ids of documents of other lengths"
        self._file.write(ids.astype(self._dtype, copy=False).data)
        self._sidecar.write_table(rows)
        self._lengths.append(rows["tokens"].to_numpy())


@contextmanager
def split_writer(prefix: Path, dtype: np.dtype) -> Iterator[SplitWriter]:
    """Writes `prefix`.bin, .idx and .docs.parquet, published on leaving without an error."""
    with (
        atomic_path(prefix.with_suffix(".docs.parquet")) as sidecar_path,
        atomic_path(prefix.with_suffix(".idx")) as idx_path,
        atomic_path(prefix.with_suffix(".bin")) as bin_path,
    ):
        with (
            bin_path.open("wb") as file,
            pq.ParquetWriter(sidecar_path, SIDECAR, compression="zstd") as sidecar,
        ):
            writer = SplitWriter(file, sidecar, dtype)
            yield writer
        write_idx(idx_path, writer.lengths, dtype)
