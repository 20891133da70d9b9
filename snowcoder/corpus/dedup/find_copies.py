"""Deduplication: from the signatures of all documents to one table of those that are copies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from snowcoder.config.corpus_schema import CorpusConfig
from snowcoder.corpus.dedup.candidates import EDGES, write_candidates
from snowcoder.corpus.dedup.ids import NO_IDS, read_ids
from snowcoder.corpus.dedup.partitions import assign
from snowcoder.corpus.dedup.repositories import RepositoryCopies
from snowcoder.corpus.dedup.resolve import COPIES, Resolve, Shingle
from snowcoder.corpus.dedup.signature import SIGNATURES, signature_schema
from snowcoder.corpus.shuffled_shard import write_partitioned
from snowcoder.lineage.rows import RowCounts, check_given
from snowcoder.stages.steps import Record, Step, WorkItem, run_step
from snowcoder.stages.tables import Table, count_rows
from snowcoder.storage.digest import digest_json

_EXACT, _BY_PARTITION, _BY_SHARD = "exact.parquet", "by-partition.parquet", "by-shard.parquet"
_COPIES = "copies.parquet"


def find_copies(config: CorpusConfig, given: Path, records: list[Record]) -> tuple[Table, Record]:
    """A table of copies (`COPIES`), and what was found. `records`: of the shards.

    Of files, partitioned by the number of their shard; of repositories, in one partition.
    """
    folder = Path(config.work) / "dedup"
    made_from = digest_json([record.digest for record in records])
    if config.near.level == "repository":
        parts = [table for record in records for table in record.tables_in(given, SIGNATURES)]
        return _only(RepositoryCopies(folder / "repositories", parts, config.near), "copies", made_from)
    tables = Candidates(folder / "candidates", given, records, config)
    found = _do(tables, tables.work_item("candidates", made_from))
    exact, by_shard, by_partition = (_table(tables, found, name) for name in (_EXACT, _BY_SHARD, _BY_PARTITION))
    shingles = Shingle(folder / "shingles", by_shard, config.near)
    sent = run_step(shingles, "shingles", shingles.work_items(given, records, found), config.engine, by_shard.rows)
    resolve = Resolve(folder / "resolved", by_partition, _tables(shingles, sent), config.near)
    resolved = run_step(resolve, "near copies", resolve.work_items(found, sent), config.engine, by_partition.rows)
    merge = Merge(folder / "copies", exact, _tables(resolve, resolved))
    pairs = _sums(resolved)
    made_from = digest_json([found.digest, pairs, *(record.digest for record in resolved)])
    return _only(merge, "copies", made_from, {"pairs": pairs})


class Candidates(Step):
    """Done in the launching process, for the engine itself spreads the work."""

    def __init__(self, folder: Path, given: Path, records: list[Record], config: CorpusConfig) -> None:
        super().__init__(folder)
        self.config = config
        self.signatures, self.schema = _signatures(given, records), signature_schema(config.near)
        self.partitions = 1 + sum(record.bytes for record in records) // (config.partition_mib << 20)

    def decided_by(self) -> dict[str, Any]:
        return {"bands": self.config.near.bands, "partition_mib": self.config.partition_mib}

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        ids = sum((read_ids(table, self.schema, n << 32) for n, table in enumerate(self.signatures)), NO_IDS)
        pairs = write_candidates(self.signatures, self.schema, ids, folder).pairs
        shards, partitions = assign(pairs, self.partitions, folder / _BY_PARTITION, folder / _BY_SHARD)
        return RowCounts(pairs.rows, count_rows(folder / _BY_PARTITION)), {"shards": shards, "partitions": partitions}


class Merge(Step):
    """Exact and near copies in one file, a row group for each shard."""

    def __init__(self, folder: Path, exact: Table, near: list[Table]) -> None:
        super().__init__(folder)
        self.exact, self.near = exact, near

    def decided_by(self) -> dict[str, Any]:
        return {}

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        exact = self.exact.read(EDGES, ["id", "better"])
        exact = exact.append_column("similarity", pa.nulls(len(exact), pa.float32()))
        table = pa.concat_tables([exact.cast(COPIES), *(near.read(COPIES) for near in self.near)]).sort_by("id")
        shard = (table["id"].to_numpy() >> np.uint64(32)).astype(np.int64)
        write_partitioned(folder / _COPIES, table, shard)
        rows = RowCounts(len(exact) + sum(near.rows for near in self.near), count_rows(folder / _COPIES))
        return rows, {"exact": len(exact), "near": len(table) - len(exact), **item.data["pairs"]}


def _only(step: Step, name: str, made_from: str, data: dict[str, Any] | None = None) -> tuple[Table, Record]:
    record = _do(step, step.work_item(name, made_from, data))
    return _table(step, record, _COPIES), record


def _table(step: Step, record: Record, name: str) -> Table:
    return Table(step.folder / name, record.tables[name])


def _tables(step: Step, records: list[Record]) -> list[Table]:
    return [table for record in records for table in record.tables_in(step.folder)]


def _signatures(given: Path, records: list[Record]) -> list[Table]:
    """Of files: a row for each document that was kept. Raises OperationError for others."""
    tables = []
    for record in records:
        (table,) = record.tables_in(given, SIGNATURES)
        check_given(f"signatures of {record.name}", record.rows.written, table.rows, given)
        tables.append(table)
    return tables


def _do(step: Step, item: WorkItem) -> Record:
    """A step of one item, in this process."""
    if step.find(item) is None:
        step(asdict(item))
    record = step.find(item)
    assert record
    return record


def _sums(records: list[Record]) -> dict[str, int]:
    return {name: sum(record.counts[name] for record in records) for name in ("pairs", "verified")}
