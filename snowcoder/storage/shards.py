"""Shards of source files in the schema of The Stack: parquet, .jsonl.zst or .jsonl.gz."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from snowcoder.config.schema import ColumnsConfig
from snowcoder.errors import OperationError, UserError
from snowcoder.storage.store import ObjectInfo, Store

SUFFIXES = (".parquet", ".jsonl.zst", ".jsonl.gz")
_BATCH_BYTES = 8 << 20
_BATCH_ROWS = 1024


class Batch(NamedTuple):
    """Good rows of a shard as columns, some MiB of text at a time, and the bad rows passed on the way."""

    contents: list[str]
    repositories: list[str]
    paths: list[str]
    languages: list[str]
    licences: list[str]
    dropped: dict[str, int]  # reason -> rows


class CorruptShard(OperationError):
    """A shard that cannot be read to its end."""

    def __init__(self, name: str, offset: str, reason: object) -> None:
        super().__init__(f"shard {name} is corrupt at {offset}: {' '.join(str(reason).split())}")


def list_shards(store: Store) -> list[ObjectInfo]:
    """The shards of a store, by name. Raises `UserError` if there is none."""
    shards = [info for info in store.list() if info.key.endswith(SUFFIXES)]
    if not shards:
        raise UserError(f"no shards in {store.url}: expected files ending in {', '.join(SUFFIXES)}")
    return shards


def read_shard(path: Path, name: str, columns: ColumnsConfig, max_document_bytes: int) -> Iterator[Batch]:
    """The rows of a shard at `path` that have content, in UTF-8, of at most `max_document_bytes`.

    Raises `CorruptShard` naming `name` and where; `UserError` if the content column is not there.
    """
    rows = _parquet_rows(path, name, columns) if name.endswith(".parquet") else _json_rows(path, name, columns)
    for contents, others in rows:
        yield _batch(contents, others, max_document_bytes)


Rows = tuple[list[Any], list[list[str]]]


def _batch(contents: list[Any], others: list[list[str]], max_bytes: int) -> Batch:
    reasons = [_fault(content, max_bytes) for content in contents]
    if any(reasons):
        keep = [n for n, reason in enumerate(reasons) if reason is None]
        contents = [contents[n] for n in keep]
        others = [[column[n] for n in keep] for column in others]
    return Batch(contents, *others, dropped=dict(Counter(reason for reason in reasons if reason)))


def _fault(content: Any, max_bytes: int) -> str | None:
    """Why a row is bad, or None."""
    if not content:
        return "no content"
    if not isinstance(content, str):
        return "not UTF-8"
    if 4 * len(content) > max_bytes and len(content.encode()) > max_bytes:
        return "too long"
    return None


def _parquet_rows(path: Path, name: str, columns: ColumnsConfig) -> Iterator[Rows]:
    try:
        file = pyarrow.parquet.ParquetFile(path, memory_map=True)
    except (pyarrow.ArrowException, OSError) as error:
        raise CorruptShard(name, "its footer", error) from None
    there = file.schema_arrow.names
    if columns.content not in there:
        raise UserError(f"shard {name} has no column {columns.content!r} (index.columns.content); it has {', '.join(there)}")
    wanted = [column for column in dict.fromkeys(columns.model_dump().values()) if column in there]
    for group in range(file.num_row_groups):
        try:
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=wanted):
                yield from _table_rows(batch, columns)
        except (pyarrow.ArrowException, OSError) as error:
            raise CorruptShard(name, f"row group {group}", error) from None


def _table_rows(batch: pyarrow.RecordBatch, columns: ColumnsConfig) -> Iterator[Rows]:
    """Pieces of a batch with at most some MiB of text each."""
    per_row = max(1, batch.nbytes // max(1, batch.num_rows))
    rows = max(1, _BATCH_BYTES // per_row)
    for first in range(0, batch.num_rows, rows):
        piece = batch.slice(first, rows)
        others = [_texts(piece, name) for name in _other_columns(columns)]
        yield _strings(piece.column(columns.content)), others


def _strings(column: pyarrow.Array) -> list[Any]:
    """Text of each row; bytes where it is not UTF-8, which pyarrow does not check when it reads."""
    try:
        return column.to_pylist() if pyarrow.types.is_string(column.type) else _decoded(column)
    except UnicodeDecodeError:
        return _decoded(column)


def _decoded(column: pyarrow.Array) -> list[Any]:
    return [_decode(value) for value in column.cast(pyarrow.binary()).to_pylist()]


def _decode(value: bytes | None) -> str | bytes | None:
    try:
        return value.decode() if value is not None else None
    except UnicodeDecodeError:
        return value


def _texts(batch: pyarrow.RecordBatch, name: str) -> list[str]:
    if name not in batch.schema.names:
        return [""] * batch.num_rows
    return [_text(value) for value in batch.column(name).to_pylist()]


def _text(value: Any) -> str:
    """A metadata value as text; lists, as licences are, joined by commas."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return "" if value is None else str(value)


def _other_columns(columns: ColumnsConfig) -> list[str]:
    """In the order of `Batch`."""
    return [columns.repository, columns.path, columns.language, columns.licence]


def _json_rows(path: Path, name: str, columns: ColumnsConfig) -> Iterator[Rows]:
    contents: list[Any] = []
    others: list[list[str]] = [[] for _ in _other_columns(columns)]
    size, found = 0, False
    for offset, line in _lines(path, name):
        row = _parse(line, name, offset)
        found = found or columns.content in row
        contents.append(row.get(columns.content))
        for column, key in zip(others, _other_columns(columns), strict=True):
            column.append(_text(row.get(key)))
        size += len(line)
        if size >= _BATCH_BYTES or len(contents) >= _BATCH_ROWS:
            yield contents, others
            contents, others, size = [], [[] for _ in others], 0
    if not found:
        raise UserError(f"shard {name}: no row has a key {columns.content!r} (index.columns.content)")
    if contents:
        yield contents, others


def _parse(line: bytes, name: str, offset: int) -> dict[str, Any]:
    """One row; where its text is not UTF-8, a row whose values are bytes."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return _parse_odd(line, name, offset, error)
    if not isinstance(row, dict):
        raise CorruptShard(name, f"byte {offset} of its text", "a line is not a JSON object")
    return row


def _parse_odd(line: bytes, name: str, offset: int, error: Exception) -> dict[str, Any]:
    """orjson refuses bytes that are not UTF-8 and lone surrogates; the row is bad, the shard is not."""
    try:
        row = json.loads(line.decode(errors="surrogateescape"))
    except ValueError:
        raise CorruptShard(name, f"byte {offset} of its text", error) from None
    return {key: _without_surrogates(value) for key, value in row.items()}


def _without_surrogates(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="surrogatepass")
    return value


def _lines(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """Lines of a compressed file with the offset of each in the decompressed text."""
    # Arrow notices a truncated stream, which the zstandard module's reader takes for its end.
    compression = "gzip" if name.endswith(".gz") else "zstd"
    offset = 0
    try:
        with io.BufferedReader(pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), compression), 1 << 20) as text:
            for line in text:
                if line.strip():
                    yield offset, line
                offset += len(line)
    except OSError as error:
        raise CorruptShard(name, f"byte {offset} of its text", error) from None
