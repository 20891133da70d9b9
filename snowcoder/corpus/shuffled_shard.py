"""Rows from many shards to many partitions: every item writes one file, with a row group for each partition.

So an item of the next step reads its row group of every file, and no more files exist than shards. (Spark's
sort shuffle; a file for every pair of shard and partition would be more than a file system bears.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snowcoder.stages.tables import Table

_KEY = b"row_group_of_partition"


def write_partitioned(path: Path, table: pa.Table, partition: np.ndarray) -> None:
    """Write `table`, whose row i goes to `partition[i]`; rows of one partition keep their order.

    `partition` int32 or int64 [rows].
    """
    assert len(partition) == len(table), f"{len(table)} rows and partitions of {len(partition)}"
    order = np.argsort(partition, kind="stable")
    present, starts = np.unique(partition[order], return_index=True)
    groups = {str(number): group for group, number in enumerate(present.tolist())}
    schema = table.schema.with_metadata({_KEY: json.dumps(groups)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start, end in pairwise([*starts.tolist(), len(order)] if len(order) else []):
            writer.write_table(table.take(order[start:end]).cast(schema), row_group_size=max(1, end - start))


def read_partition(tables: list[Table], schema: pa.Schema, partition: int) -> Iterator[pa.Table]:
    """The partition's rows, a table for every file that has some, in the order of `tables`."""
    for table in tables:
        groups = json.loads(table.open(schema).schema_arrow.metadata[_KEY])
        if str(partition) in groups:
            (rows,) = table.row_groups(schema, only=[groups[str(partition)]])
            yield rows.replace_schema_metadata(None)
