"""Shards of source files in the schema of The Stack: parquet, .jsonl.zst or .jsonl.gz."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder.config.schema import ColumnsConfig
from snowcoder.errors import UserError
from snowcoder.storage.columns import CONTENT, METADATA, READ, ColumnNeed, text_of
from snowcoder.storage.json_rows import JsonRows
from snowcoder.storage.objects import ObjectInfo, Store
from snowcoder.storage.parquet_rows import ParquetRows
from snowcoder.storage.rows import Rows
from snowcoder.storage.seen import Seen
from snowcoder.storage.unreadable import HEAD, CorruptShard, check_beginning, unreadable

SUFFIXES = (".parquet", ".jsonl.zst", ".jsonl.gz")
_DATA = (".jsonl", ".json", ".ndjson", ".zst", ".gz", ".bz2", ".xz", ".tar", ".zip", ".csv", ".arrow", ".PARQUET")


class Files(NamedTuple):
    """The files of a row that holds several: their texts, one after the other, are its content."""

    paths: list[str]
    lengths: list[int]  # in characters


class Batch(NamedTuple):
    """Good rows of a shard as columns, some MiB of text, and the bad rows passed on the way.

    What a row lacks is None: no column, null, or what is no text. An empty text says as little.
    """

    contents: list[str]
    repositories: list[str | None]
    paths: list[str | None]
    languages: list[str | None]
    licences: list[str | None]  # joined by commas; "": it is known to have none
    files: list[Files | None]  # None: the row is one file
    dropped: dict[str, int]  # reason -> rows

    @property
    def rows(self) -> int:
        """Of the shard, good and bad."""
        return len(self.contents) + sum(self.dropped.values())

    def without(self) -> dict[str, int]:
        """How many rows lack a column of metadata, for each that any does."""
        columns = zip(METADATA, self[1:5], strict=True)
        counts = {field: texts.count(None) + (field != "licence") * texts.count("") for field, texts in columns}
        return {field: count for field, count in counts.items() if count}


def list_shards(store: Store) -> list[ObjectInfo]:
    """The shards of a store, by name. Raises `UserError` if there is none."""
    found = store.list()
    shards = [info for info in found if info.key.endswith(SUFFIXES)]
    if not shards:
        others = [info.key for info in found if info.key.endswith(_DATA)]
        passed_over = f"; passed over: {', '.join(others[:3])}{' and others' if others[3:] else ''}" if others else ""
        raise UserError(f"no shards in {store.url}: expected files ending in {', '.join(SUFFIXES)}{passed_over}")
    return shards


def read_shard(
    path: Path, name: str, columns: ColumnsConfig, max_document_bytes: int, needs: Sequence[ColumnNeed] = ()
) -> Iterator[Batch]:
    """The rows of a shard at `path` that have content, in UTF-8, of at most `max_document_bytes`.

    Raises `CorruptShard` naming `name` and where; `UserError` for what is no shard, for columns that cannot be read as
    text, and if no row has one of `needs` or the content; `OperationError` if there is no memory.
    """
    with path.open("rb") as file:
        check_beginning(file.read(HEAD), name)
    needs = (CONTENT, *needs)
    shard = ParquetRows(path, name, columns, needs) if name.endswith(".parquet") else JsonRows(path, name, columns)
    seen, read = Seen(name, columns, needs), 0
    try:
        for rows in shard:
            texts = [list(map(READ[field], values)) for field, values in zip(METADATA, rows.metadata, strict=True)]
            seen.look(rows, texts)
            batch = _batch(rows, texts, max_document_bytes)
            read += batch.rows
            yield batch
    except MemoryError as error:
        raise unreadable(name, "a batch of rows", error) from None
    if read != shard.rows:
        raise CorruptShard(name, "its end", f"it has {shard.rows:,} rows, and {read:,} were read")
    seen.check(shard.columns)


def _batch(rows: Rows, texts: list[list[str | None]], max_bytes: int) -> Batch:
    contents, files = rows.contents, [rows.file_paths, rows.file_lengths]
    reasons = [_fault(row[0], max_bytes) or _files_fault(*row) for row in zip(contents, *files, strict=True)]
    if any(reasons):
        keep = [n for n, reason in enumerate(reasons) if reason is None]
        contents = [contents[n] for n in keep]
        texts = [[column[n] for n in keep] for column in texts]
        files = [[column[n] for n in keep] for column in files]
    dropped = Counter(reason for reason in reasons if reason)
    repositories, paths, languages, licences = texts
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
    return None if paths is None or lengths is None else Files([text_of(path) or "" for path in paths], lengths)
