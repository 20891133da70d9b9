"""Tables of ids, joined and grouped by the engine: exact copies, and pairs that may be near ones."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import daft
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from daft import DataType, Series, col

from snowcoder.corpus.dedup.ids import NO_IDS, Ids, check_ids, comparable_ids, ids_of
from snowcoder.stages.tables import Table, count_rows, read_tables, tables_of, write_table

_EDGE = pa.struct({"better": pa.uint64(), "id": pa.uint64(), "priority": pa.uint64()})
EDGES = pa.schema(_EDGE)
# A file is compared with so many of the best of a bucket: all pairs of a large one would be too many, and
# those that are kept are among the best.
_BEST = 16
# As SQL: a constant in a Python expression makes Daft import torch, which takes more than a second.
_SEVERAL = "list_count(id) > 1"


class Found(NamedTuple):
    """Tables of `EDGES`: from the file that is kept of those with the same content to each copy; near ones, maybe."""

    exact: Table
    pairs: Table


def write_candidates(signatures: list[Table], schema: pa.Schema, ids: Ids, folder: Path) -> Found:
    """Write exact.parquet and pairs.parquet into `folder`. `ids`: of all files.

    Raises OperationError where the engine lost one of them.
    """
    path = folder / "exact.parquet"
    check_ids("exact copies", ids, _write_exact_copies(read_tables(signatures, schema), path))
    exact = Table(path, count_rows(path))
    rest = _comparable(read_tables(signatures, schema), read_tables([exact], EDGES))
    copies = np.sort(exact.read(EDGES, ["id"])["id"].to_numpy())
    check_ids("files that are no exact copies", comparable_ids(signatures, schema, copies), _ids_of_frame(rest))
    path = folder / "pairs.parquet"
    return Found(exact, Table(path, write_table(_candidate_pairs(rest), path, EDGES)))


def _write_exact_copies(signatures: daft.DataFrame, path: Path) -> Ids:
    """Returns the ids of all files, copies or not, that came out of the engine's groups."""
    groups = signatures.groupby("digest").agg(col("id").list_agg(), col("priority").list_agg())
    found = NO_IDS
    with pq.ParquetWriter(path, EDGES, compression="zstd") as writer:
        for table in tables_of(_edges(groups, 1, 0), EDGES):
            found += ids_of(table["id"])
            writer.write_table(table.filter(pc.not_equal(table["better"], table["id"])))
    return found


def _comparable(signatures: daft.DataFrame, exact: daft.DataFrame) -> daft.DataFrame:
    """The signatures of files that are neither short nor exact copies."""
    return signatures.where(~col("short")).join(exact.select("id"), on="id", how="anti")


def _ids_of_frame(frame: daft.DataFrame) -> Ids:
    return sum((ids_of(table["id"]) for table in tables_of(frame.select("id"), pa.schema([EDGES.field("id")]))), NO_IDS)


def _candidate_pairs(signatures: daft.DataFrame) -> daft.DataFrame:
    """`EDGES` of files that share a band, each pair once."""
    buckets = (
        signatures.select("id", "priority", col("bands").cast(DataType.list(DataType.uint64())))
        .explode("bands")
        .groupby("bands")
        .agg(col("id").list_agg(), col("priority").list_agg())
        .where(_SEVERAL)
    )
    return _edges(buckets, _BEST, 1).distinct()


def _edges(groups: daft.DataFrame, best: int, apart: int) -> daft.DataFrame:
    function = daft.func.batch(return_dtype=DataType.from_arrow_type(pa.list_(_EDGE)))(edges)
    pairs = groups.select(function(col("id"), col("priority"), best, apart).alias("edge")).explode("edge")
    return pairs.select(*(col("edge")[field.name].alias(field.name) for field in _EDGE))


def edges(ids: Series, priorities: Series, best: int, apart: int) -> pa.Array:
    """For each group, edges from each of its `best` best members to all that are worse; to itself, with `apart` 0."""
    lists = ids.to_arrow()
    lengths = np.diff(lists.offsets.to_numpy())
    group = np.repeat(np.arange(len(lengths)), lengths)
    values, ranks = lists.flatten().to_numpy(), priorities.to_arrow().flatten().to_numpy()
    order = np.lexsort((values, ranks, group))
    values, ranks, first = values[order], ranks[order], np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.arange(len(values)) - first
    most = min(best, int(lengths.max(initial=apart)) - apart)
    worse = [np.flatnonzero(place >= number + apart) for number in range(most)]
    better = np.concatenate([first[rows] + number for number, rows in enumerate(worse)] or [place[:0]])
    rows = np.concatenate(worse or [place[:0]])
    by_group = np.argsort(group[rows], kind="stable")
    better, rows = better[by_group], rows[by_group]
    counts = np.bincount(group[rows], minlength=len(lengths))
    pairs = pa.StructArray.from_arrays(
        [pa.array(values[better]), pa.array(values[rows]), pa.array(ranks[rows])], fields=list(_EDGE)
    )
    return pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(counts)), pa.int32()), pairs)
