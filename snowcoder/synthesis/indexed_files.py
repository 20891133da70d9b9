"""The files of an indexed source, to be read one at a time: those that were selected, or all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snowcoder.annotation.copy_selected import SELECTED
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index.format import open_bin, open_idx
from snowcoder.index.layout import files_of_documents, split
from snowcoder.index.sidecar import read_sidecar
from snowcoder.index.writer import SIDECAR, SPLITS
from snowcoder.lineage.manifest import Manifest, read_manifest
from snowcoder.tokenization.load import load_tokenizer

_TRAIN = SPLITS.index("train")  # what is held out is no seed either


class IndexedFile(NamedTuple):
    text: str
    repository: str
    path: str
    language: str
    score: float | None  # by the annotator


class IndexedFiles:
    """Files are decoded from the index: it lies on disk and is mapped, the raw shards may be an S3 bucket's."""

    def __init__(self, config: Config, source: str) -> None:
        """Raises UserError where the source is unknown or not indexed, or the tokenizer another one."""
        if source not in config.index.sources:
            raise UserError(
                f"synthesis.seeds.source={source}: not a source of index.sources, which are "
                f"{', '.join(config.index.sources)}"
            )
        of = config.index.sources[source].selection_of
        how = "snowcoder annotate select" if of else f"snowcoder index build {source}"
        self.manifest: Manifest = read_manifest(Path(config.index.dir) / source, how)
        self.tables = Path(config.annotator.score.dir) / "selected" / source if of else None
        self.index = Path(config.index.dir) / (of or source) / "train"
        self.shards: list[str] = [shard["name"] for shard in self.manifest.counts["shards"]]
        self.tokenizer = load_tokenizer(config.tokenizer.folder)
        if self.tokenizer.digest != self.manifest.inputs["tokenizer"]:
            raise UserError(f"{self.tokenizer.folder} is not the tokenizer that {source} was indexed with")

    def languages(self, shard: int) -> list[str]:
        """Of the shard's files, in their order."""
        found: list[str] = self._table(shard, ["language"])["language"].to_pylist()
        return found

    def read(self, shard: int, rows: np.ndarray) -> Iterator[IndexedFile]:
        """Those files of a shard (`rows` int64 [files]), in this order."""
        table = self._table(shard, ["document", "file", "repository", "path", "language", "score"]).take(rows)
        prefix = self.index / self.shards[shard]
        idx = open_idx(prefix.with_suffix(".idx"))
        ids = open_bin(prefix.with_suffix(".bin"), idx.dtype)
        for row in table.to_pylist():
            first = int(idx.pointers[row["document"]]) // ids.itemsize
            pieces = split(np.array(ids[first : first + int(idx.lengths[row["document"]])]), self.tokenizer)
            yield IndexedFile(self._text(pieces, row["file"]), **_about(row))

    def _text(self, pieces: list[np.ndarray], file: int) -> str:
        """Of a document's pieces: the only one, or of several files, which a repository's name begins, this one."""
        if len(pieces) == 1:
            return self.tokenizer.decode(pieces[0][:-1].tolist())
        return self.tokenizer.decode(pieces[1 + file][:-1].tolist()).partition("\n")[2]

    def _table(self, shard: int, columns: list[str]) -> pa.Table:
        name = self.shards[shard]
        if self.tables:
            table = pq.read_table(self.tables / f"{name}{SELECTED}", columns=[*columns, "split"])
            return table.filter(pc.field("split") == _TRAIN).select(columns)
        prefix = self.index / name
        there = prefix.with_suffix(".docs.parquet").is_file()
        return _all_files(read_sidecar(prefix) if there else SIDECAR.empty_table()).select(columns)


def _all_files(sidecar: pa.Table) -> pa.Table:
    """A row for each file of an index's shard, like those of a selection. Paths are those of the documents."""
    counts = files_of_documents(sidecar["files"])
    document = np.repeat(np.arange(len(counts)), counts)
    file = np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)
    # Null where the shards did not say.
    about = {name: pc.fill_null(sidecar[name].take(document), "") for name in ("repository", "path", "language")}
    return pa.table({"document": document, "file": file, **about, "score": pa.nulls(len(document), pa.float32())})


def _about(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("repository", "path", "language", "score")}
