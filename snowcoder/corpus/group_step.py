"""Group, the last step: a partition's files, grouped into training documents, as one shard of the output."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snowcoder.config.schema import ColumnsConfig, Config
from snowcoder.corpus.counts import KEPT, Counts
from snowcoder.corpus.document import DOCUMENT_SCHEMA, documents_of, size_of
from snowcoder.corpus.grouping import Group, make_documents
from snowcoder.corpus.shuffled_shard import read_partition
from snowcoder.lineage.manifest import Output
from snowcoder.lineage.rows import RowCounts
from snowcoder.stages.steps import Record, Step, WorkItem
from snowcoder.stages.tables import Table, count_rows
from snowcoder.storage.digest import digest_file, digest_json
from snowcoder.storage.store import open_store

_ROW_GROUP = 16 << 20  # bytes of text


class GroupStep(Step):
    """Its shards go to where the config says, not into the step's folder, which keeps the records."""

    def __init__(self, folder: Path, config: Config, washed: list[Table]) -> None:
        super().__init__(folder)
        self.config, self.washed = config, washed
        self.store = open_store(config.corpus.output, config.storage)

    def work_items(self, washed: list[Record], partitions: int) -> list[WorkItem]:
        made_from, size = digest_json([record.digest for record in washed]), sum(record.bytes for record in washed)
        return [
            self.work_item(f"shard-{number:05d}", made_from, {"partition": number}, size // partitions)
            for number in range(partitions)
        ]

    def decided_by(self) -> dict[str, Any]:
        return {
            "grouping": self.config.grouping.model_dump(),
            "seed": self.config.run.seed,
            "columns": self.config.index.columns.model_dump(),
            "output": self.config.corpus.output,
        }

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        tables = read_partition(self.washed, DOCUMENT_SCHEMA, item.data["partition"])
        rows = [row for table in tables for row in documents_of(table)]
        groups, counts = make_documents(rows, self.config.grouping, self.config.run.seed), Counts()
        path, key = folder / "shard", f"{item.name}.parquet"
        documents = write_shard(path, groups, self.config.index.columns, counts)
        found = RowCounts(len(rows), counts.total(KEPT)[0])
        if not documents:
            path.unlink()
            return found, {"counts": [], "documents": 0, "shard": None}
        shard = {"name": key, "bytes": path.stat().st_size, "digest": digest_file(path)}
        self.store.write_file(key, path)
        path.unlink()
        return found, {"counts": counts.rows(), "documents": documents, "shard": shard}

    def find(self, item: WorkItem) -> Record | None:
        record = super().find(item)
        output = record and shard_of(record)
        if output is None:
            return record
        there = self.store.stat(output.name)
        return record if there and there.bytes == output.bytes else None


def shard_of(record: Record) -> Output | None:
    """What an item wrote to the output, if its partition had any files."""
    shard = record.counts["shard"]
    return Output(**shard) if shard else None


def write_shard(path: Path, groups: Iterable[Group], columns: ColumnsConfig, counts: Counts) -> int:
    """Write one row for each group, in the schema of the input and with where its files end; returns how many."""
    schema = _schema(columns)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in _row_groups(groups, counts):
            arrays = [pa.array([row[number] for row in rows], kind.type) for number, kind in enumerate(schema)]
            writer.write_table(pa.table(arrays, schema=schema))
    return count_rows(path)


def _schema(columns: ColumnsConfig) -> pa.Schema:
    return pa.schema(
        {
            columns.content: pa.large_string(),  # of all files, one after the other
            columns.repository: pa.string(),
            columns.path: pa.string(),  # of the first file
            columns.language: pa.string(),
            columns.licence: pa.list_(pa.string()),  # of all files
            columns.file_paths: pa.list_(pa.string()),
            columns.file_lengths: pa.list_(pa.int64()),  # characters
        }
    )


def _row_groups(groups: Iterable[Group], counts: Counts) -> Iterable[list[tuple[Any, ...]]]:
    rows: list[tuple[Any, ...]] = []
    size = 0
    for group in groups:
        for document in group.files:
            counts.add(KEPT, document.language, size_of(document))
            size += size_of(document)
        rows.append(_row(group))
        if size >= _ROW_GROUP:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _row(group: Group) -> tuple[Any, ...]:
    files = group.files
    return (
        "".join(file.content for file in files),
        group.repository,
        files[0].path,
        group.language,
        sorted({licence for file in files for licence in file.licences}),
        [file.path for file in files],
        [len(file.content) for file in files],
    )
