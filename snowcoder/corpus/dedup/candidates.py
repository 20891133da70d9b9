"""Tables of ids, joined and grouped by the engine: exact copies, and pairs that may be near ones."""

from __future__ import annotations

from pathlib import Path

import daft
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from daft import DataType, Series, col

_EDGE = pa.struct({"better": pa.uint64(), "id": pa.uint64(), "priority": pa.uint64()})
# A file is compared with so many of the best of a bucket: all pairs of a large one would be too many, and
# those that are kept are among the best.
_BEST = 16
# As SQL: a constant in a Python expression makes Daft import torch, which takes more than a second.
_SEVERAL = "list_count(id) > 1"


def exact_copies(signatures: list[str]) -> daft.DataFrame:
    """Rows `better`, `id`, `priority`: the file that is kept of those with the same content, and each of its copies."""
    groups = (
        daft.read_parquet(signatures)
        .groupby("digest")
        .agg(col("id").list_agg(), col("priority").list_agg())
        .where(_SEVERAL)
    )
    return _edges(groups, 1)


def candidate_pairs(signatures: list[str], exact: daft.DataFrame) -> daft.DataFrame:
    """Such rows for files that share a band, each pair once; exact copies and short files left out."""
    buckets = (
        daft.read_parquet(signatures)
        .where(~col("short"))
        .join(exact.select("id"), on="id", how="anti")
        .select("id", "priority", col("bands").cast(DataType.list(DataType.uint64())))
        .explode("bands")
        .groupby("bands")
        .agg(col("id").list_agg(), col("priority").list_agg())
        .where(_SEVERAL)
    )
    return _edges(buckets, _BEST).distinct()


def write_table(frame: daft.DataFrame, path: Path) -> None:
    """All rows in one file: they pass through this process, and are not held in it."""
    with pq.ParquetWriter(path, frame.schema().to_pyarrow_schema(), compression="zstd") as writer:
        for batch in frame.to_arrow_iter():
            writer.write_batch(batch)


def _edges(groups: daft.DataFrame, best: int) -> daft.DataFrame:
    function = daft.func.batch(return_dtype=DataType.from_arrow_type(pa.list_(_EDGE)))(edges)
    pairs = groups.select(function(col("id"), col("priority"), best).alias("edge")).explode("edge")
    return pairs.select(*(col("edge")[field.name].alias(field.name) for field in _EDGE))


def edges(ids: Series, priorities: Series, best: int) -> pa.Array:
    """For each group, edges from each of its `best` best members to all that are worse."""
    lists = ids.to_arrow()
    lengths = np.diff(lists.offsets.to_numpy())
    group = np.repeat(np.arange(len(lengths)), lengths)
    values, ranks = lists.flatten().to_numpy(), priorities.to_arrow().flatten().to_numpy()
    order = np.lexsort((values, ranks, group))
    values, ranks, first = values[order], ranks[order], np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.arange(len(values)) - first
    worse = [np.flatnonzero(place > number) for number in range(min(best, int(lengths.max(initial=1)) - 1))]
    better = np.concatenate([first[rows] + number for number, rows in enumerate(worse)] or [place[:0]])
    rows = np.concatenate(worse or [place[:0]])
    by_group = np.argsort(group[rows], kind="stable")
    better, rows = better[by_group], rows[by_group]
    counts = np.bincount(group[rows], minlength=len(lengths))
    pairs = pa.StructArray.from_arrays(
        [pa.array(values[better]), pa.array(values[rows]), pa.array(ranks[rows])], fields=list(_EDGE)
    )
    return pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(counts)), pa.int32()), pairs)
