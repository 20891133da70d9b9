"""Which columns the rows of a shard really have: a column may be there and hold nothing, or no text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from snowcoder.config.schema import ColumnsConfig
from snowcoder.storage.columns import METADATA, ColumnNeed, complaint, config_key_of, is_there, key_names, lacks
from snowcoder.storage.rows import Rows
from snowcoder.storage.unreadable import UnusableShard


class Seen:
    def __init__(self, name: str, columns: ColumnsConfig, needs: Sequence[ColumnNeed]) -> None:
        self._name, self._columns, self._needs = name, columns, needs
        self._fields: set[str] = set()
        self._rows = False  # whether there was any

    def look(self, rows: Rows, texts: list[list[str | None]]) -> None:
        """Raises `UnusableShard` for a column of which no row so far is text, and some are something else."""
        self._rows = True
        if len(self._fields) == 1 + len(METADATA):
            return
        self._look("content", rows.contents, (isinstance(value, str | bytes) for value in rows.contents))
        for field, raw, read in zip(METADATA, rows.metadata, texts, strict=True):
            self._look(field, raw, map(is_there, repeat(field), read))

    def _look(self, field: str, raw: list[Any], there: Iterable[bool]) -> None:
        if field in self._fields:
            return
        if any(there):
            self._fields.add(field)
        elif (odd := next(filter(_is_odd, raw), None)) is not None:
            self._refuse(field, odd)

    def check(self, there: list[str]) -> None:
        """After all rows: raises `UnusableShard` if there were some and none had a column that is needed."""
        if self._columns.content in there:
            self._fields.add("content")  # null in every row: they are counted
        missing = [need for need in self._needs if not self._fields.intersection(need.columns)]
        if self._rows and missing:
            raise UnusableShard(self._name, complaint(lacks(missing, self._columns, there), there))

    def _refuse(self, field: str, odd: Any) -> None:
        name = getattr(self._columns, field)
        inner = odd[0] if isinstance(odd, list) else odd
        names = key_names(inner, f"{name}.") if isinstance(inner, dict) else []
        hint = f"; name one of {', '.join(names)}" if names else ""
        kind = {dict: "objects", list: "lists", bool: "true and false"}.get(type(odd), type(odd).__name__)
        what = f"column {name!r} ({config_key_of(field, self._needs)}) holds {kind}, which are no text{hint}"
        raise UnusableShard(self._name, f": {what}")


def _is_odd(value: Any) -> bool:
    """Neither text, good or bad, nor one of the ways to say that there is none."""
    return not isinstance(value, str | bytes) and bool(value) and value == value
