"""What can be known of shards before they are read: how they begin, and the columns of those that are parquet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, cast

from snowcoder.config.schema import ColumnsConfig
from snowcoder.errors import UserError
from snowcoder.storage.columns import CONTENT, ColumnNeed
from snowcoder.storage.objects import ObjectInfo, Store
from snowcoder.storage.parquet_rows import ParquetRows
from snowcoder.storage.unreadable import HEAD, CorruptShard, UnusableShard, check_beginning

_THREADS = 16


def check_shards(
    store: Store, shards: Iterable[ObjectInfo], columns: ColumnsConfig, needs: Sequence[ColumnNeed] = ()
) -> None:
    """Raises one `UserError` about all shards that are something else, or lack a column of `needs`."""
    if problems := shard_problems(store, shards, columns, needs):
        raise UserError("\n".join(problems))


def shard_problems(
    store: Store, shards: Iterable[ObjectInfo], columns: ColumnsConfig, needs: Sequence[ColumnNeed] = ()
) -> list[str]:
    """The same as texts, one for all shards that have the same problem."""

    def problem(info: ObjectInfo) -> tuple[str | None, str]:
        return _problem(store, info, columns, needs), info.key

    names: dict[str, list[str]] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for what, name in pool.map(problem, shards):
            if what:
                names.setdefault(what, []).append(name)
    return [f"shard {_and_others(alike)}{what}" for what, alike in names.items()]


def _problem(store: Store, info: ObjectInfo, columns: ColumnsConfig, needs: Sequence[ColumnNeed]) -> str | None:
    try:
        check_beginning(store.read_range(info, 0, min(HEAD, info.bytes)), info.key)
        if info.key.endswith(".parquet"):
            ParquetRows(cast(IO[bytes], _Object(store, info)), info.key, columns, (CONTENT, *needs))
    except UnusableShard as error:
        return error.what
    except CorruptShard:  # found again when it is read: the stage may pass it over
        return None
    return None


def _and_others(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} other{'s' if len(names) > 2 else ''}"


class _Object(io.RawIOBase):
    """An object of a store as a file, of which only what is asked for is read: of parquet the footer."""

    def __init__(self, store: Store, info: ObjectInfo) -> None:
        self._store, self._info, self._at = store, info, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._info.bytes}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        last = min(self._at + len(buffer), self._info.bytes)
        data = self._store.read_range(self._info, self._at, last) if last > self._at else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
