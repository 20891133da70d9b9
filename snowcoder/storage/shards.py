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
import pyarrow.parquet

from snowcoder.config.schema import ColumnsConfig
from snowcoder.errors import OperationError, UserError
from snowcoder.storage.store import ObjectInfo, Store

SUFFIXES = (".parquet", ".jsonl.zst", ".jsonl.gz")
_BATCH_BYTES = 8 << 20
_BATCH_ROWS = 1024


class Files(NamedTuple):
    """The files of a row that holds several: their texts, one after the other, are its content."""

    paths: list[str]
    lengths: list[int]  # in characters


class Batch(NamedTuple):
    """Good rows of a shard as columns, some MiB of text, and the bad rows passed on the way."""

    contents: list[str]
    repositories: list[str]
    paths: list[str]
    languages: list[str]
    licences: list[str]
    files: list[Files | None]  # None: the row is one file
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
    read = _parquet_rows if name.endswith(".parquet") else _json_rows
    for rows in read(path, name, columns):
        yield _batch(rows, max_document_bytes)


class _Rows(NamedTuple):
    """Rows as they are read: what should be text or lists may be anything."""

    contents: list[Any]
    others: list[list[str]]  # in the order of `_other_columns`
    file_paths: list[Any]
    file_lengths: list[Any]


def _batch(rows: _Rows, max_bytes: int) -> Batch:
    contents, others, *files = rows
    reasons = [_fault(row[0], max_bytes) or _files_fault(*row) for row in zip(contents, *files, strict=True)]
    if any(reasons):
        keep = [n for n, reason in enumerate(reasons) if reason is None]
        contents = [contents[n] for n in keep]
        others, files = ([[column[n] for n in keep] for column in columns] for columns in (others, files))
    dropped = Counter(reason for reason in reasons if reason)
    repositories, paths, languages, licences = others
    found = [_files(*row) for row in zip(*files, strict=True)]
    return Batch(contents, repositories, paths, languages, licences, found, dict(dropped))


def _fault(content: Any, max_bytes: int) -> str | None:
    """Why a row is bad, or None."""
    if not content:
        return "no content"
    if isinstance(content, bytes):
        return "not UTF-8"
    if not isinstance(content, str):
        return "not text"
    try:
        size = len(content) if content.isascii() else len(content.encode())
    except UnicodeEncodeError:  # lone surrogates, which JSON can spell
        return "not UTF-8"
    return "too long" if size > max_bytes else None


def _files_fault(content: str, paths: Any, lengths: Any) -> str | None:
    """Why a row cannot be cut into its files, or None."""
    if paths is None and lengths is None:
        return None
    if not isinstance(paths, list) or not isinstance(lengths, list) or len(paths) != len(lengths):
        return "file lengths"
    counted = all(isinstance(length, int) and length >= 0 for length in lengths)
    return None if counted and sum(lengths) == len(content) else "file lengths"


def _files(paths: list[Any] | None, lengths: list[int] | None) -> Files | None:
    return None if paths is None or lengths is None else Files([_text(path) for path in paths], lengths)


def _parquet_rows(path: Path, name: str, columns: ColumnsConfig) -> Iterator[_Rows]:
    try:
        file = pyarrow.parquet.ParquetFile(path, memory_map=True)
    except (pyarrow.ArrowException, OSError) as error:
        raise CorruptShard(name, "its footer", error) from None
    there = file.schema_arrow.names
    if columns.content not in there:
        raise UserError(
            f"shard {name} has no column {columns.content!r} (index.columns.content); it has {', '.join(there)}"
        )
    wanted = [column for column in dict.fromkeys(columns.model_dump().values()) if column in there]
    for group in range(file.num_row_groups):
        rows = _rows_at_a_time(file.metadata.row_group(group))
        try:
            for batch in file.iter_batches(rows, row_groups=[group], columns=wanted):
                others = [list(map(_text, _values(batch, column))) for column in _other_columns(columns)]
                yield _Rows(_values(batch, columns.content), others, *_file_columns(batch, columns))
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise CorruptShard(name, f"row group {group}", error) from None


def _rows_at_a_time(group: pyarrow.parquet.RowGroupMetaData) -> int:
    per_row = max(1, group.total_byte_size // max(1, group.num_rows))
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES // per_row))


def _file_columns(batch: pyarrow.RecordBatch, columns: ColumnsConfig) -> tuple[list[Any], list[Any]]:
    return _values(batch, columns.file_paths), _values(batch, columns.file_lengths)


def _values(batch: pyarrow.RecordBatch, name: str) -> list[Any]:
    """Values of a column, None where it is not there; bytes where text is not UTF-8, which pyarrow does not check."""
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    column = batch.column(name)
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:
        binary = pyarrow.large_binary()
        lists = pyarrow.types.is_nested(column.type)
        values = column.cast(pyarrow.list_(binary) if lists else binary).to_pylist()
    return [_decode(value) if isinstance(value, bytes) else value for value in values]


def _decode(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _text(value: Any) -> str:
    """A metadata value as valid text; lists, as licences are, joined by commas."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text if text.isascii() else text.encode(errors="replace").decode()


def _other_columns(columns: ColumnsConfig) -> list[str]:
    """In the order of `Batch`."""
    return [columns.repository, columns.path, columns.language, columns.licence]


def _json_rows(path: Path, name: str, columns: ColumnsConfig) -> Iterator[_Rows]:
    rows: list[dict[str, Any]] = []
    size = count = with_content = 0
    for offset, line in _lines(path, name):
        row = _parse(line, name, offset)
        count += 1
        with_content += columns.content in row
        rows.append(row)
        size += len(line)
        if size >= _BATCH_BYTES or len(rows) >= _BATCH_ROWS:
            yield _columns_of(rows, columns)
            rows, size = [], 0
    if count and not with_content:
        raise UserError(f"shard {name}: no row has a key {columns.content!r} (index.columns.content)")
    if rows:
        yield _columns_of(rows, columns)


def _columns_of(rows: list[dict[str, Any]], columns: ColumnsConfig) -> _Rows:
    def values(key: str) -> list[Any]:
        return [row.get(key) for row in rows]

    others = [list(map(_text, values(key))) for key in _other_columns(columns)]
    return _Rows(values(columns.content), others, values(columns.file_paths), values(columns.file_lengths))


def _parse(line: bytes, name: str, offset: int) -> dict[str, Any]:
    try:
        row = _loads(line)
    except (ValueError, RecursionError) as error:
        raise CorruptShard(name, f"byte {offset} of its text", error) from None
    if not isinstance(row, dict):
        raise CorruptShard(name, f"byte {offset} of its text", "a line is not a JSON object")
    return row


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        # It refuses bytes that are not UTF-8 and lone surrogates: then a row is bad, not the shard.
        return json.loads(line.decode(errors="surrogateescape"))


def _lines(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """Lines of a compressed file with the offset of each in the decompressed text."""
    # Arrow notices a truncated stream, which the zstandard module's reader takes for its end.
    compression = "gzip" if name.endswith(".gz") else "zstd"
    offset = 0
    if path.stat().st_size == 0:  # Arrow takes it for a stream without text
        raise CorruptShard(name, "its first byte", "the file is empty")
    try:
        with io.BufferedReader(pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), compression), 1 << 20) as text:
            for line in text:
                if line.strip():
                    yield offset, line
                offset += len(line)
    except (pyarrow.ArrowException, OSError) as error:
        raise CorruptShard(name, f"byte {offset} of its text", error) from None
