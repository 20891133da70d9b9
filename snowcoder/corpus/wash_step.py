"""Wash, the step after deduplication: what is left of a shard, washed, and sent to the partition of its group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from snowcoder.config.corpus_schema import NearConfig
from snowcoder.config.schema import Config
from snowcoder.corpus.counts import Counts
from snowcoder.corpus.dedup.resolve import COPIES
from snowcoder.corpus.document import DOCUMENT_SCHEMA, documents_of, documents_table, size_of
from snowcoder.corpus.grouping import group_key
from snowcoder.corpus.shuffled_shard import read_partition, write_partitioned
from snowcoder.corpus.wash import EXACT, NEAR, Row, Wash
from snowcoder.lineage.rows import RowCounts, check_given
from snowcoder.stages.steps import Record, Step, WorkItem
from snowcoder.stages.tables import Table, count_rows


class WashStep(Step):
    def __init__(self, folder: Path, config: Config, copies: Table, partitions: int) -> None:
        super().__init__(folder)
        self.config, self.copies, self.partitions = config, copies, partitions

    def work_items(self, filtered: list[Record], documents: list[Table], copies: Record) -> list[WorkItem]:
        return [
            self.work_item(
                record.name,
                [record.digest, copies.digest],
                {"shard": number, "documents": str(table.path), "rows": table.rows},
                record.bytes,
            )
            for number, (record, table) in enumerate(zip(filtered, documents, strict=True))
        ]

    def decided_by(self) -> dict[str, Any]:
        return {
            **Wash.decided_by(self.config),
            "by": self.config.grouping.by,
            "partitions": self.partitions,
            "partition_mib": self.config.corpus.partition_mib,
        }

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        wash = Wash(self.config, self._copies(item.data["shard"]))
        given = Table(Path(item.data["documents"]), item.data["rows"])
        for number, rows in enumerate(self._pieces(wash(_rows(given)))):
            ids, documents = zip(*rows, strict=True)
            keys = ("\0".join(group_key(document, self.config.grouping)).encode() for document in documents)
            partition = np.array([xxhash.xxh3_64_intdigest(key) % self.partitions for key in keys])
            path = folder / f"{item.name}-{number:03d}.parquet"
            write_partitioned(path, documents_table(list(documents), ids), partition)
        found = RowCounts(given.rows, count_rows(*folder.iterdir()), wash.counts.dropped)
        return found, {
            "counts": wash.counts.rows(),
            "samples": dict(wash.samples.rules),
            "replaced": dict(wash.replaced),
            "hits": wash.hits,
        }

    def _copies(self, shard: int) -> dict[int, float | None]:
        by_file = self.config.corpus.near.level == "file"
        return {
            number: similarity
            for table in read_partition([self.copies], COPIES, shard if by_file else 0)
            for number, similarity in zip(table["id"].to_pylist(), table["similarity"].to_pylist(), strict=True)
        }

    def _pieces(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        """As many rows as may be in memory at once."""
        piece: list[Row] = []
        size, limit = 0, self.config.corpus.partition_mib << 20
        for row in rows:
            piece.append(row)
            size += size_of(row[1])
            if size >= limit:
                yield piece
                piece, size = [], 0
        if piece:
            yield piece


def check_copies(near: NearConfig, copies: Table, washed: list[Record], folder: Path) -> None:
    """Raises OperationError where another number of files was dropped as copies than there are."""
    if near.level == "file":  # of repositories nobody has counted the files
        counts = Counts()
        for record in washed:
            counts.merge(record.counts["counts"])
        dropped = sum(counts.total(rule)[0] for rule in (EXACT, NEAR))
        check_given("wash, its copies", copies.rows, dropped, folder)


def _rows(documents: Table) -> Iterator[Row]:
    for group in documents.row_groups(DOCUMENT_SCHEMA):
        yield from documents_of(group)
