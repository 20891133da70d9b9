"""Rows of a parquet shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from snowcoder.config.schema import ColumnsConfig
from snowcoder.storage.columns import (
    METADATA,
    ColumnNeed,
    Leaf,
    complaint,
    find_leaf,
    leaf_names,
    pick,
    schema_problems,
)
from snowcoder.storage.rows import BYTES, COUNT, Rows
from snowcoder.storage.unreadable import UnusableShard, unreadable


class ParquetRows:
    """Raises `UserError` for columns that are missing, several, or of a type that is no text."""

    def __init__(
        self, source: Path | IO[bytes], name: str, columns: ColumnsConfig, needs: Sequence[ColumnNeed]
    ) -> None:
        self.name = name
        try:
            self._file = pq.ParquetFile(source, memory_map=isinstance(source, Path))
        except (pa.ArrowException, OSError) as error:
            raise unreadable(name, "its footer", error) from None
        schema = self._file.schema_arrow
        self.columns, self.rows = leaf_names(schema), self._file.metadata.num_rows
        problems = schema_problems(schema, columns, needs) if self.rows else []
        if problems:
            raise UnusableShard(name, complaint(problems, self.columns))
        self._leaves = _Leaves(*(find_leaf(schema, column) for column in columns.model_dump().values()))

    def __iter__(self) -> Iterator[Rows]:
        wanted = list(dict.fromkeys(leaf.selected_by for leaf in self._leaves if leaf))
        for group in range(self._file.num_row_groups):
            rows = _rows_at_a_time(self._file.metadata.row_group(group))
            try:
                for batch in self._file.iter_batches(rows, row_groups=[group], columns=wanted):
                    yield self._rows(batch)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise unreadable(self.name, f"row group {group}", error) from None

    def _rows(self, batch: pa.RecordBatch) -> Rows:
        content = [_decoded(value) for value in _values(batch, self._leaves.content)]
        metadata = [_values(batch, getattr(self._leaves, field)) for field in METADATA]
        files = (_values(batch, leaf) for leaf in (self._leaves.file_paths, self._leaves.file_lengths))
        return Rows(content, metadata, *files)


class _Leaves(NamedTuple):
    """Those of `ColumnsConfig`, in its order."""

    content: Leaf | None
    repository: Leaf | None
    path: Leaf | None
    language: Leaf | None
    licence: Leaf | None
    file_paths: Leaf | None
    file_lengths: Leaf | None


def _rows_at_a_time(group: pq.RowGroupMetaData) -> int:
    per_row = max(1, group.total_byte_size // max(1, group.num_rows))
    found: int = max(1, min(COUNT, BYTES // per_row))
    return found


def _values(batch: pa.RecordBatch, leaf: Leaf | None) -> list[Any]:
    """Of a column, None where it is not there; bytes where text is not UTF-8, which pyarrow does not check."""
    if leaf is None:
        return [None] * batch.num_rows
    column = batch.column(leaf.keys[0])
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:
        values = column.cast(_as_bytes(column.type)).to_pylist()
    return [pick(value, leaf.keys[1:]) for value in values] if leaf.keys[1:] else values


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    """The type with bytes for texts, however deep they are."""
    if types.is_struct(kind):
        return pa.struct([field.with_type(_as_bytes(field.type)) for field in kind])
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.large_list(_as_bytes(kind.value_type))
    if types.is_dictionary(kind):
        return _as_bytes(kind.value_type)
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return pa.large_binary() if is_text else kind


def _decoded(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
