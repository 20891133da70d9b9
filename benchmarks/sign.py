"""The part of the corpus stage's first step that finds copies, without its filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from snowcoder.config.corpus_schema import NearConfig
from snowcoder.corpus.dedup.signature import SIGNATURES, signature_schema, signature_table
from snowcoder.corpus.document import DOCUMENTS, documents_of
from snowcoder.lineage.rows import Rows
from snowcoder.stages.steps import Step, Task
from snowcoder.stages.tables import rows_of


class Sign(Step):
    def __init__(self, folder: Path, near: NearConfig) -> None:
        super().__init__(folder)
        self.near = near

    def decided_by(self) -> dict[str, Any]:
        return self.near.model_dump()

    def make(self, task: Task, folder: Path) -> tuple[Rows, dict[str, Any]]:
        path = Path(task.data["path"])
        (folder / f"{task.name}{DOCUMENTS}").hardlink_to(path)
        with pq.ParquetWriter(folder / f"{task.name}{SIGNATURES}", signature_schema(self.near)) as writer:
            for batch in pq.ParquetFile(path).iter_batches(250):
                ids, found = zip(*documents_of(batch), strict=True)
                writer.write_table(signature_table(list(found), ids, self.near))
        return Rows(rows_of(path), rows_of(folder / f"{task.name}{SIGNATURES}")), {}
