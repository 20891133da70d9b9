"""What `annotate score` leaves: for each clean shard a table with the score of every file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from snowcoder.errors import UserError
from snowcoder.lineage.manifest import Manifest, read_manifest
from snowcoder.lineage.vouched_shards import Shard, find_promised_shards
from snowcoder.storage.objects import Store

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


def identities(shards: list[Shard]) -> list[list[Any]]:
    """By which a manifest of scores knows the shards that were scored."""
    return [[*shard.info[:2], shard.digest or shard.info.tag] for shard in shards]


def read_scores(folder: Path, store: Store) -> Manifest:
    """The manifest of scores. Raises UserError where there are none, or those of other shards than `store` has."""
    manifest = read_manifest(folder, "snowcoder annotate score")
    if manifest.inputs["raw"] != identities(find_promised_shards(store)):
        raise UserError(f"{folder} has scores of other shards than {store.url}: run `snowcoder annotate score` again")
    return manifest
