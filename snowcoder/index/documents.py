"""Which split a document belongs to, and its row of the sidecar."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import xxhash

from snowcoder.index.layout import texts_of
from snowcoder.index.writer import SPLITS
from snowcoder.storage.shards import Batch


def by_split(batch: Batch, held_out: float) -> Iterator[tuple[str, list[list[str]], pa.Table]]:
    """For each split that has documents: its name, the texts of each, and the sidecar without what encoding tells."""
    data = [text.encode() for text in batch.contents]
    hashes = [xxhash.xxh3_128_digest(content) for content in data]
    table = pa.table(
        {
            "repository": pa.array(batch.repositories, pa.string()),
            "path": pa.array(batch.paths, pa.string()),
            "language": pa.array(batch.languages, pa.string()),
            "licence": pa.array(batch.licences, pa.string()),
            "content_hash": pa.array(hashes, pa.binary(16)),
            "bytes": pa.array([len(content) for content in data], pa.int64()),
        }
    )
    chosen = is_held_out(hashes, held_out)
    for split, mask in zip(SPLITS, (~chosen, chosen), strict=True):
        rows = np.flatnonzero(mask)
        if len(rows):
            texts = [texts_of(batch.contents[row], batch.repositories[row], batch.files[row]) for row in rows]
            yield split, texts, table.take(rows)


def is_held_out(hashes: list[bytes], share: float) -> np.ndarray:
    """Of each document (bool [documents]), by its content alone: no copy of a held-out one is trained on."""
    high = np.frombuffer(b"".join(hashes), ">u8")[::2]
    return high < share * 2.0**64
