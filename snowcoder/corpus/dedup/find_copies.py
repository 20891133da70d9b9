"""Deduplication: from the signatures of all documents to one table of those that are copies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import daft
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snowcoder.config.corpus_schema import CorpusConfig
from snowcoder.corpus.dedup.candidates import candidate_pairs, exact_copies, write_table
from snowcoder.corpus.dedup.partitions import assign
from snowcoder.corpus.dedup.repositories import RepositoryCopies
from snowcoder.corpus.dedup.resolve import COPIES, Resolve, Shingle
from snowcoder.corpus.dedup.signature import SIGNATURES
from snowcoder.corpus.document import DOCUMENTS
from snowcoder.corpus.shuffled_shard import write_partitioned
from snowcoder.stages.steps import Record, Step, Task, run_step
from snowcoder.storage.digest import digest_json

_EXACT, _PAIRS, _BY_PARTITION, _BY_SHARD = "exact.parquet", "pairs.parquet", "by-partition.parquet", "by-shard.parquet"


def find_copies(config: CorpusConfig, prepared: Path, records: list[Record]) -> tuple[Path, Record]:
    """A file of copies, and what was found. `records`: of the shards.

    Of files, partitioned by the number of their shard; of repositories, in one partition.
    """
    folder = Path(config.work) / "dedup"
    made_from = digest_json([config.near.model_dump(), *(record.digest for record in records)])
    if config.near.level == "repository":
        parts = [str(path) for record in records for path in record.paths(prepared, SIGNATURES)]
        whole = RepositoryCopies(folder / "repositories", parts, config.near)
        return whole.folder / "copies.parquet", _do(whole, Task("copies", made_from))
    tables = Candidates(folder / "candidates", prepared, records, config)
    found = _do(tables, Task("candidates", made_from))
    shingles = Shingle(folder / "shingles", tables.folder / _BY_SHARD, config.near)
    sent = run_step(shingles, "shingles", _shingle_tasks(prepared, records, found, made_from), config.engine)
    paths = [path for record in sent for path in record.paths(shingles.folder)]
    resolve = Resolve(folder / "resolved", tables.folder / _BY_PARTITION, paths, config.near)
    tasks = [Task(f"part-{n:05d}", made_from, {"partition": n}) for n in found.counts["partitions"]]
    resolved = run_step(resolve, "near copies", tasks, config.engine)
    near = [path for record in resolved for path in record.paths(resolve.folder)]
    merge = Merge(folder / "copies", tables.folder / _EXACT, near)
    return merge.folder / "copies.parquet", _do(merge, Task("copies", made_from, {"pairs": _sums(resolved)}))


class Candidates(Step):
    """Done in the launching process, for the engine itself spreads the work."""

    def __init__(self, folder: Path, prepared: Path, records: list[Record], config: CorpusConfig) -> None:
        super().__init__(folder)
        self.signatures = [str(path) for record in records for path in record.paths(prepared, SIGNATURES)]
        self.partitions = 1 + sum(record.bytes for record in records) // (config.partition_mib << 20)

    def make(self, task: Task, folder: Path) -> dict[str, Any]:
        write_table(exact_copies(self.signatures), folder / _EXACT)
        exact = daft.read_parquet(str(folder / _EXACT))
        write_table(candidate_pairs(self.signatures, exact), folder / _PAIRS)
        shards, partitions = assign(folder / _PAIRS, self.partitions, folder / _BY_PARTITION, folder / _BY_SHARD)
        return {"shards": shards, "partitions": partitions}


class Merge(Step):
    """Exact and near copies in one file, a row group for each shard."""

    def __init__(self, folder: Path, exact: Path, near: list[Path]) -> None:
        super().__init__(folder)
        self.exact, self.near = exact, near

    def make(self, task: Task, folder: Path) -> dict[str, Any]:
        exact = pq.read_table(self.exact, columns=["id", "better"])
        exact = exact.append_column("similarity", pa.nulls(len(exact), pa.float32()))
        table = pa.concat_tables([exact.cast(COPIES), *map(pq.read_table, self.near)]).sort_by("id")
        shard = (table["id"].to_numpy() >> np.uint64(32)).astype(np.int64)
        write_partitioned(folder / "copies.parquet", table, shard)
        return {"exact": len(exact), "near": len(table) - len(exact), **task.data["pairs"]}


def _do(step: Step, task: Task) -> Record:
    """A step of one task, in this process."""
    if step.find(task) is None:
        step(asdict(task))
    record = step.find(task)
    assert record
    return record


def _shingle_tasks(prepared: Path, records: list[Record], found: Record, made_from: str) -> list[Task]:
    tasks = []
    for number in found.counts["shards"]:
        (documents,) = records[number].paths(prepared, DOCUMENTS)
        data = {"shard": number, "documents": str(documents)}
        tasks.append(Task(records[number].name, made_from, data, records[number].bytes))
    return tasks


def _sums(records: list[Record]) -> dict[str, int]:
    return {name: sum(record.counts[name] for record in records) for name in ("pairs", "verified")}
