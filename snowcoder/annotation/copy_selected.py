"""Copies the selected files of an indexed shard, token by token: nothing is encoded again."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from snowcoder.annotation.selectable_files import SCHEMA as UNIT_SCHEMA
from snowcoder.annotation.selectable_files import UNITS
from snowcoder.annotation.threshold import Ranked, Threshold
from snowcoder.index.format import open_bin, open_idx
from snowcoder.index.layout import content_of
from snowcoder.index.shard import ShardCounts
from snowcoder.index.sidecar import read_sidecar
from snowcoder.index.writer import SIDECAR, SPLITS, SUFFIXES, SplitWriter, split_writer
from snowcoder.lineage.manifest import Output, describe_outputs
from snowcoder.lineage.rows import RowCounts
from snowcoder.stages.steps import Record, Step, WorkItem
from snowcoder.stages.tables import Table
from snowcoder.storage.atomic import writing_to
from snowcoder.tokenization.load import Tokenizer, load_tokenizer

SELECTED = ".selected.parquet"
_DOCUMENTS = 1024  # written together


class Copy(Step):
    """Writes the shard of the selection into its index folder; its own folder keeps the record and which files."""

    def __init__(
        self,
        folder: Path,
        weighed: Path,
        raw: Path,
        target: Path,
        tokenizer: Path,
        thresholds: dict[str, Threshold],  # by language
    ) -> None:
        super().__init__(folder)
        self.weighed, self.raw, self.target, self.tokenizer = weighed, raw, target, tokenizer
        self.thresholds = thresholds

    def decided_by(self) -> dict[str, Any]:
        return {"thresholds": self.thresholds}

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        weighed = Table(self.weighed / f"{item.name}{UNITS}", item.data["rows"]).read(UNIT_SCHEMA)
        units = weighed.filter(pa.array(taken(weighed, item.data["number"], self.thresholds)))
        pq.write_table(units, folder / f"{item.name}{SELECTED}", compression="zstd")
        tokenizer, counts = load_tokenizer(self.tokenizer), ShardCounts()
        names = []
        with writing_to(self.target):
            for number, split in enumerate(SPLITS):
                mine = units.filter(pa.array(units["split"].to_numpy() == number))
                if len(mine):
                    self._copy(split, item.name, mine, tokenizer, counts)
                    names += [f"{split}/{item.name}{suffix}" for suffix in SUFFIXES]
        outputs = [asdict(output) for output in describe_outputs(self.target, names)]
        languages = _by_language(units)
        written = sum(counter["files"] for counter in counts.splits.values())
        return RowCounts(len(weighed), written, len(weighed) - len(units)), {
            "splits": {split: dict(counter) for split, counter in counts.splits.items()},
            "tokens_by_language": dict(counts.tokens_by_language),
            "max_token_id": counts.max_token_id,
            "languages": languages,
            "outputs": outputs,
        }

    def find(self, item: WorkItem) -> Record | None:
        record = super().find(item)
        if record is None:
            return None
        outputs = [Output(**output) for output in record.counts["outputs"]]
        there = (self.target / output.name for output in outputs)
        same = all(path.is_file() and path.stat().st_size == o.bytes for path, o in zip(there, outputs, strict=True))
        return record if same else None

    def _copy(self, split: str, name: str, units: pa.Table, tokenizer: Tokenizer, counts: ShardCounts) -> None:
        prefix = self.raw / split / name
        idx = open_idx(prefix.with_suffix(".idx"))
        source = ShardSplit(
            open_bin(prefix.with_suffix(".bin"), idx.dtype),
            idx.pointers // idx.dtype.itemsize,
            read_sidecar(prefix),
        )
        documents, first = np.unique(units["document"].to_numpy(), return_index=True)
        files = np.split(units["file"].to_numpy(), first[1:])
        paths = units["path"].take(first).to_pylist()
        chosen = list(zip(documents.tolist(), files, paths, strict=True))
        with split_writer(self.target / split / name, idx.dtype) as writer:
            for start in range(0, len(chosen), _DOCUMENTS):
                _write(source, chosen[start : start + _DOCUMENTS], split, tokenizer, writer, counts)


class ShardSplit(NamedTuple):
    """A split of the raw index's shard."""

    ids: np.ndarray  # uint16 or int32 [tokens]
    starts: np.ndarray  # int64 [documents], tokens
    sidecar: pa.Table


def taken(units: pa.Table, shard: int, thresholds: dict[str, Threshold]) -> np.ndarray:
    """Which of a shard's files are selected: bool [files]. Held-out ones must pass the same threshold."""
    mask = np.zeros(len(units), bool)
    for files in ranked(units, shard):
        if files.language in thresholds:
            mask[files.rows] = thresholds[files.language].takes(files)
    return mask


def ranked(units: pa.Table, shard: int) -> list[Ranked]:
    """A shard's files, by language."""
    languages = units["language"].combine_chunks().dictionary_encode()
    codes, scores, tokens = languages.indices.to_numpy(), units["score"].to_numpy(), units["tokens"].to_numpy()
    return [
        Ranked(shard, name, rows, scores[rows], tokens[rows])
        for code, name in enumerate(languages.dictionary.to_pylist())
        for rows in [np.flatnonzero(codes == code)]
    ]


def _write(
    source: ShardSplit,
    chosen: list[tuple[int, np.ndarray, str]],
    split: str,
    tokenizer: Tokenizer,
    writer: SplitWriter,
    counts: ShardCounts,
) -> None:
    rows = source.sidecar.take([document for document, _, _ in chosen]).to_pylist()
    ids = []
    for row, (document, files, path) in zip(rows, chosen, strict=True):
        start = int(source.starts[document])
        own = source.ids[start : start + row["tokens"]]
        if row["files"] is not None and len(files) < len(row["files"]):
            own, row["files"] = _cut(own, row["files"], files, tokenizer)
            # What the sidecar says of a document is true of what is left of it.
            content = content_of(own, tokenizer).encode()
            row |= {"tokens": len(own), "path": path, "bytes": len(content)}
            row["content_hash"] = xxhash.xxh3_128_digest(content)
        ids.append(own)
    table = pa.Table.from_pylist(rows, SIDECAR)
    every = np.concatenate(ids)
    writer.append(every, table)
    counts.add(split, every, table)


def _cut(ids: np.ndarray, begins: list[int], files: np.ndarray, tokenizer: Tokenizer) -> tuple[np.ndarray, list[int]]:
    """A document with only some of its files, after its repository's name; and where they begin now."""
    edges = [*begins, len(ids)]
    pieces = [ids[edges[file] : edges[file + 1]] for file in files.tolist()]
    cut = np.concatenate([ids[: begins[0]], *pieces])
    cut[-1] = tokenizer.end_of_text  # the last file of the document closes it, whichever it is
    starts = np.cumsum([begins[0], *(len(piece) for piece in pieces[:-1])])
    return cut, starts.tolist()


def _by_language(units: pa.Table) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for files in ranked(units, 0):
        found[files.language] = dict(Counter(files=len(files.rows), tokens=int(files.tokens.sum())))
    return found
