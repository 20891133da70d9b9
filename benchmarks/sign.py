"""The part of the corpus stage's first step that finds copies, without its filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from snowcoder.config.corpus_schema import NearConfig
from snowcoder.corpus.dedup.signature import SIGNATURES, signature_schema, signature_table
from snowcoder.corpus.document import DOCUMENTS, documents_of
from snowcoder.lineage.rows import RowCounts
from snowcoder.stages.steps import Step, WorkItem
from snowcoder.stages.tables import count_rows


class Sign(Step):
    def __init__(self, folder: Path, near: NearConfig) -> None:
        super().__init__(folder)
        self.near = near

    def decided_by(self) -> dict[str, Any]:
        return self.near.model_dump()

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        path = Path(item.data["path"])
        (folder / f"{item.name}{DOCUMENTS}").hardlink_to(path)
        with pq.ParquetWriter(folder / f"{item.name}{SIGNATURES}", signature_schema(self.near)) as writer:
            for batch in pq.ParquetFile(path).iter_batches(250):
                ids, found = zip(*documents_of(batch), strict=True)
                writer.write_table(signature_table(list(found), ids, self.near))
        return RowCounts(count_rows(path), count_rows(folder / f"{item.name}{SIGNATURES}")), {}
