"""What finds a document's copies: its digest, and a hash for every band of its MinHash signature."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from snowcoder.config.corpus_schema import NearConfig
from snowcoder.corpus.dedup.shingles import bands, is_short, signatures, tokens
from snowcoder.corpus.document import Document, size_of

SIGNATURES = ".signatures.parquet"  # suffix of a filtered shard's signatures
_SIZE_LIMIT = (1 << 32) - 1


def signature_schema(near: NearConfig) -> pa.Schema:
    return pa.schema(
        {
            "id": pa.uint64(),
            "priority": pa.uint64(),
            "digest": pa.binary(16),
            "short": pa.bool_(),
            "bands": pa.list_(pa.uint64(), near.bands),
        }
    )


def signature_table(documents: list[Document], ids: Iterable[int], near: NearConfig) -> pa.Table:
    joined = [tokens(document.content) for document in documents]
    hashes = np.zeros((len(joined), near.bands), np.uint64)
    if near.enabled:
        hashes = bands(signatures(joined, near), near)
    # Only files of one language are compared.
    hashes ^= np.array([xxhash.xxh3_64_intdigest(d.language.encode()) for d in documents], np.uint64)[:, None]
    columns = [
        pa.array(ids, pa.uint64()),
        pa.array(
            [priority_of(size_of(document), f"{document.repository}/{document.path}") for document in documents],
            pa.uint64(),
        ),
        pa.array([xxhash.xxh3_128_digest(d.content.encode()) for d in documents], pa.binary(16)),
        pa.array([not near.enabled or is_short(text, near) for text in joined], pa.bool_()),
        pa.FixedSizeListArray.from_arrays(pa.array(hashes.ravel()), near.bands),
    ]
    return pa.table(columns, schema=signature_schema(near))


def priority_of(size: int, name: str) -> int:
    """Of copies, the one with the smallest is kept: the longest; of equally long ones, as a hash has it."""
    return (_SIZE_LIMIT - min(size, _SIZE_LIMIT)) << 32 | xxhash.xxh32_intdigest(name.encode())


class FileSignatures:
    """Of a shard: a row for each document."""

    def __init__(self, near: NearConfig) -> None:
        self.near, self.schema = near, signature_schema(near)

    def write(self, writer: pq.ParquetWriter, documents: list[Document], ids: range) -> None:
        writer.write_table(signature_table(documents, ids, self.near))

    def close(self, writer: pq.ParquetWriter) -> None:
        """All is written."""
