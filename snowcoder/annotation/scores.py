"""What `annotate score` leaves: for each clean shard a table with the score of every file."""

from __future__ import annotations

import pyarrow as pa

SUFFIX = ".scores.parquet"

# One row a file, in the order of the shard's documents and of the files in them.
SCORES = pa.schema(
    {
        "content_hash": pa.binary(16),  # of the document, as in the index's sidecar
        "file": pa.int32(),  # number in its document
        "repository": pa.string(),
        "path": pa.string(),
        "language": pa.string(),
        "characters": pa.int64(),
        "score": pa.float32(),
    }
)
