"""What can be selected of an indexed shard: its files, each with score and tokens, in the order of the index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snowcoder.annotation.scores import SCORES, SUFFIX
from snowcoder.errors import UserError
from snowcoder.index.documents import is_held_out
from snowcoder.index.layout import files_of_documents
from snowcoder.index.sidecar import read_sidecar
from snowcoder.index.writer import SIDECAR, SPLITS
from snowcoder.lineage.rows import RowCounts
from snowcoder.stages.steps import Step, WorkItem
from snowcoder.stages.tables import Table, count_rows

UNITS = ".units.parquet"
# A row for each file of the documents in the index; one for a document whose files were joined without separators.
SCHEMA = pa.schema(
    {
        "split": pa.int8(),  # number in SPLITS
        "document": pa.int32(),  # row of the split
        "file": pa.int32(),  # number in the document
        "tokens": pa.int32(),  # with the special token that ends it
        "score": pa.float32(),
        "repository": pa.string(),
        "path": pa.string(),
        "language": pa.string(),
    }
)


class Weigh(Step):
    """Joins a shard's scores with the token counts of its index."""

    def __init__(self, folder: Path, index: Path, scores: Path, held_out: float) -> None:
        super().__init__(folder)
        self.index, self.scores, self.held_out = index, scores, held_out

    def decided_by(self) -> dict[str, Any]:
        return {"held_out": self.held_out}

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        """Raises UserError where the scores are of other documents than the index's."""
        path = self.scores / f"{item.name}{SUFFIX}"
        scores = Table(path, count_rows(path)).read(SCORES)
        first = np.flatnonzero(scores["file"].to_numpy() == 0)
        hashes = scores["content_hash"].take(first).to_pylist()
        chosen = is_held_out(hashes, self.held_out) if hashes else np.zeros(0, bool)
        counts = np.diff(np.append(first, len(scores)))
        parts, joined = [], 0
        for number, mask in enumerate((~chosen, chosen)):
            sidecar = self._sidecar(SPLITS[number], item.name)
            if sidecar["content_hash"].to_pylist() != [hashes[row] for row in np.flatnonzero(mask)]:
                raise UserError(
                    f"{self.scores} and {self.index} are of different documents ({item.name}): build the index again "
                    "with `snowcoder index build`, then `snowcoder annotate score`"
                )
            joined += int((counts[mask] - 1)[sidecar["files"].is_null().to_numpy()].sum())
            parts.append(_units(number, sidecar, scores.filter(pa.array(np.repeat(mask, counts))), counts[mask]))
        path = folder / f"{item.name}{UNITS}"
        pq.write_table(pa.concat_tables(parts), path, compression="zstd")
        return RowCounts(len(scores), count_rows(path), joined), {"joined": joined}

    def _sidecar(self, split: str, name: str) -> pa.Table:
        prefix, columns = self.index / split / name, ["content_hash", "tokens", "files"]
        if prefix.with_suffix(".docs.parquet").is_file():
            return read_sidecar(prefix, columns)
        return pa.schema([SIDECAR.field(name) for name in columns]).empty_table()


def _units(split: int, sidecar: pa.Table, scores: pa.Table, counts: np.ndarray) -> pa.Table:
    """`counts`: how many scored files each document has."""
    apart = sidecar["files"].is_valid().to_numpy()
    units = files_of_documents(sidecar["files"])
    if not np.array_equal(units[apart], counts[apart]):
        raise UserError("the index has other files than were scored: run `snowcoder annotate score` again")
    # Several files of no known repository are one unit, with the mean of their scores.
    starts = np.cumsum(counts) - counts
    document = np.repeat(np.arange(len(units)), units)
    file = np.arange(len(document)) - np.repeat(np.cumsum(units) - units, units)
    rows, values = starts[document] + file, scores["score"].to_numpy()
    means = np.add.reduceat(values, starts) / counts if len(counts) else values
    columns = {
        "split": np.full(len(rows), split, np.int8),
        "document": document.astype(np.int32),
        "file": file.astype(np.int32),
        "tokens": tokens_of_units(sidecar).astype(np.int32),
        "score": np.where(apart[document], values[rows], means[document]).astype(np.float32),
        **{name: scores[name].take(rows) for name in ("repository", "path", "language")},
    }
    return pa.table(columns, SCHEMA)


def tokens_of_units(sidecar: pa.Table) -> np.ndarray:
    """Tokens of every file up to where the next one begins, or the document ends: int64 [files]."""
    tokens, files = sidecar["tokens"].to_numpy().astype(np.int64), sidecar["files"]
    units = files_of_documents(files)
    begins = np.zeros(units.sum(), np.int64)
    begins[np.repeat(files.is_valid().to_numpy(), units)] = pc.list_flatten(files).to_numpy()
    ends = np.append(begins[1:], 0)
    ends[np.cumsum(units) - 1] = tokens
    return ends - begins
