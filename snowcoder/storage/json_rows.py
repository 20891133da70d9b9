"""Rows of a shard of compressed JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from snowcoder.config.schema import ColumnsConfig
from snowcoder.storage.columns import METADATA, dig, key_names, only
from snowcoder.storage.decompress import ERRORS, open_decompressed
from snowcoder.storage.rows import BYTES, COUNT, Rows
from snowcoder.storage.unreadable import CorruptShard, UnusableShard, unreadable

_MARK = b"\xef\xbb\xbf"  # that some put before UTF-8; of files that were joined, also between lines
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{", b"\0\0\0{")  # or UTF-32


class JsonRows:
    """Its `columns` are the keys that its rows have, and `rows` how many there are, as far as they were read."""

    def __init__(self, path: Path, name: str, columns: ColumnsConfig) -> None:
        self.path, self.name, self._columns = path, name, columns
        self._keys: dict[str, None] = {}
        self.rows = 0

    @property
    def columns(self) -> list[str]:
        return [key for key in self._keys if not any(other.startswith(f"{key}.") for other in self._keys)]

    def __iter__(self) -> Iterator[Rows]:
        rows: list[dict[str, Any]] = []
        size = 0
        for offset, line in _lines(self.path, self.name):
            self.rows += 1
            rows.append(_parse(line, self.name, offset))
            size += len(line)
            if size >= BYTES or len(rows) >= COUNT:
                yield self._rows(rows)
                rows, size = [], 0
        if rows:
            yield self._rows(rows)

    def _rows(self, rows: list[dict[str, Any]]) -> Rows:
        # Of the first and the last: rows of a shard are alike, and looking at all would cost as much as reading them.
        for row in (rows[0], rows[-1]):
            self._keys |= dict.fromkeys(key_names(row))
        content, *metadata = (_values(rows, getattr(self._columns, field)) for field in ("content", *METADATA))
        paths, lengths = _values(rows, self._columns.file_paths), _values(rows, self._columns.file_lengths)
        return Rows(content, metadata, paths, lengths)


def _values(rows: list[dict[str, Any]], name: str) -> list[Any]:
    found = [dig(row, name) for row in rows] if "." in name else [row.get(name) for row in rows]
    return list(map(only, found))


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
        # It refuses marks, bytes that are not UTF-8 and lone surrogates: then a row is bad at most, not the shard.
        return json.loads(line.removeprefix(_MARK).decode(errors="surrogateescape"))


def _lines(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """Lines of a compressed file with the offset of each in the decompressed text."""
    offset = 0
    try:
        with open_decompressed(path, name) as text:
            for line in text:
                if not offset and line.startswith(_UTF_16):
                    raise UnusableShard(name, " is text in UTF-16 or UTF-32: convert it to UTF-8 (`iconv -t UTF-8`)")
                if not line.isspace() and line[:5].strip() != _MARK:
                    yield offset, line
                offset += len(line)
    except ERRORS as error:
        raise unreadable(name, f"byte {offset} of its text", error) from None
