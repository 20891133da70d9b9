"""Whole repositories as copies of each other, as DeepSeek-Coder has it: one is a single text, and dropped as one.

So what is left of a repository is all of it. The signature of a repository is the smallest of its files', value by
value, for MinHash is a minimum: no text is joined. How alike two are is what share of their values is equal.
"""

from __future__ import annotations

from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import daft
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from daft import DataType, Series, col

from snowcoder.config.corpus_schema import NearConfig
from snowcoder.corpus.dedup.candidates import EDGES, write_candidates
from snowcoder.corpus.dedup.ids import read_ids
from snowcoder.corpus.dedup.resolve import COPIES, Alike, choose_copies
from snowcoder.corpus.dedup.shingles import bands, is_short, signatures, tokens
from snowcoder.corpus.dedup.signature import priority_of
from snowcoder.corpus.document import Document, size_of
from snowcoder.corpus.shuffled_shard import write_partitioned
from snowcoder.lineage.rows import RowCounts, check_given
from snowcoder.stages.steps import Step, WorkItem
from snowcoder.stages.tables import Table, read_tables, write_table

_LARGEST = np.iinfo(np.uint32).max
_U64 = (1 << 64) - 1
# Of one repository in one shard, then of all of it.
PART_SCHEMA = pa.schema(
    {"id": pa.uint64(), "bytes": pa.uint64(), "digest": pa.uint64(), "short": pa.bool_(), "signature": pa.binary()}
)
_WHOLE = pa.struct(
    {
        "priority": pa.uint64(),
        "digest": pa.uint64(),
        "short": pa.bool_(),
        "bands": pa.list_(pa.uint64()),
        "signature": pa.binary(),
        "parts": pa.uint64(),  # how many shards have some of it
    }
)
WHOLES = pa.schema([pa.field("id", pa.uint64()), *_WHOLE])


def repository_id(document: Document) -> int:
    """The same in every shard; a file of no known repository is one of its own."""
    name = document.repository or f"\0{document.path}\0{document.content}"
    return xxhash.xxh3_64_intdigest(name.encode())


class RepositorySignatures:
    """Of a shard: a row for each of its repositories, once all its documents are known."""

    schema = PART_SCHEMA

    def __init__(self, near: NearConfig) -> None:
        self.near = near
        self._parts: dict[int, _Part] = {}

    def write(self, writer: pq.ParquetWriter, documents: list[Document], ids: range) -> None:
        joined = [tokens(document.content) for document in documents]
        for document, text, signature in zip(documents, joined, signatures(joined, self.near), strict=True):
            short = is_short(text, self.near)
            digest = xxhash.xxh3_64_intdigest(document.content.encode())
            part = _Part(size_of(document), digest, short, np.full_like(signature, _LARGEST) if short else signature)
            number = repository_id(document)
            self._parts[number] = _joined([self._parts[number], part]) if number in self._parts else part

    def close(self, writer: pq.ParquetWriter) -> None:
        rows = [[number, *part[:3], part.signature.tobytes()] for number, part in sorted(self._parts.items())]
        columns = zip(*rows, strict=True) if rows else [()] * len(PART_SCHEMA)
        arrays = [pa.array(values, kind.type) for values, kind in zip(columns, PART_SCHEMA, strict=True)]
        writer.write_table(pa.table(arrays, PART_SCHEMA))


class _Part(NamedTuple):
    bytes: int
    digest: int  # sum of the files' digests: of the same files in any order the same
    short: bool
    signature: np.ndarray  # uint32 [permutations]


def _joined(parts: list[_Part]) -> _Part:
    return _Part(
        sum(part.bytes for part in parts),
        sum(part.digest for part in parts) & _U64,
        all(part.short for part in parts),
        np.minimum.reduce([part.signature for part in parts]),
    )


class RepositoryCopies(Step):
    """Done in the launching process, for the engine itself spreads the work. Holds the candidates' signatures."""

    def __init__(self, folder: Path, parts: list[Table], near: NearConfig) -> None:
        super().__init__(folder)
        self.parts, self.near = parts, near

    def decided_by(self) -> dict[str, Any]:
        return self.near.model_dump()

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        wholes = self._wholes(folder / "repositories.parquet")
        exact, pairs = write_candidates([wholes], WHOLES, read_ids(wholes, WHOLES), folder)
        alike = self._alike(pairs.read(EDGES), wholes)
        near = [pair for pair in alike if pair.similarity >= self.near.threshold]
        rows = [(row["id"], row["better"], None) for row in exact.read(EDGES).to_pylist()]
        copies = [(pair.worse, pair.better, pair.similarity) for pair in choose_copies(near)]
        columns = zip(*sorted([*rows, *copies], key=itemgetter(0)), strict=True) if rows + copies else [(), (), ()]
        table = pa.table([pa.array(values, kind.type) for values, kind in zip(columns, COPIES, strict=True)], COPIES)
        write_partitioned(folder / "copies.parquet", table, np.zeros(len(table), np.int64))
        counts = {"exact": len(rows), "near": len(copies), "pairs": len(alike), "verified": len(near)}
        return RowCounts(pairs.rows, len(alike)), counts

    def _wholes(self, path: Path) -> Table:
        wholes = Table(path, write_table(repositories(read_tables(self.parts, PART_SCHEMA), self.near), path, WHOLES))
        given, joined = sum(part.rows for part in self.parts), pc.sum(wholes.read(WHOLES, ["parts"])["parts"]).as_py()
        check_given("repositories", given, joined or 0, self.folder)
        return wholes

    def _alike(self, pairs: pa.Table, wholes: Table) -> list[Alike]:
        ids = pa.chunked_array([*pairs["id"].chunks, *pairs["better"].chunks], pa.uint64()).unique()
        table = pq.read_table(wholes.path, columns=["id", "signature"], filters=pc.field("id").isin(ids))
        of = {
            number: np.frombuffer(signature, np.uint32)
            for number, signature in zip(table["id"].to_pylist(), table["signature"].to_pylist(), strict=True)
        }
        rows = zip(*(pairs[name].to_pylist() for name in ("better", "id", "priority")), strict=True)
        return [Alike(float(np.mean(of[better] == of[worse])), better, worse, rank) for better, worse, rank in rows]


def repositories(parts: daft.DataFrame, near: NearConfig) -> daft.DataFrame:
    """`WHOLES` of rows of `PART_SCHEMA`."""
    names = PART_SCHEMA.names[1:]
    rows = parts.groupby("id").agg(*(col(name).list_agg() for name in names))
    function = daft.func.batch(return_dtype=DataType.from_arrow_type(_WHOLE))(_wholes)
    whole = rows.select(col("id"), function(*(col(name) for name in names), near.model_dump_json()).alias("whole"))
    return whole.select(col("id"), *(col("whole")[field.name].alias(field.name) for field in _WHOLE))


def _wholes(sizes: Series, digests: Series, short: Series, found: Series, near: str) -> pa.Array:
    config = NearConfig.model_validate_json(near)
    columns = [series.to_pylist() for series in (sizes, digests, short, found)]
    wholes = [_joined(list(map(_part, *lists))) for lists in zip(*columns, strict=True)]
    width = (-1, config.permutations)
    hashes = bands(np.array([whole.signature for whole in wholes], np.uint32).reshape(width), config)
    rows = [
        {
            "priority": priority_of(whole.bytes, str(whole.digest)),
            "digest": whole.digest,
            "short": whole.short or not config.enabled,
            "bands": band.tolist(),
            "signature": whole.signature.tobytes(),
            "parts": count,
        }
        for whole, band, count in zip(wholes, hashes, map(len, columns[0]), strict=True)
    ]
    return pa.array(rows, _WHOLE)


def _part(size: int, digest: int, short: bool, signature: bytes) -> _Part:
    return _Part(size, digest, short, np.frombuffer(signature, np.uint32))
