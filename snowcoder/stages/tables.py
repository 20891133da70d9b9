"""Tables that one step writes and another reads: parquet files of a schema that is given, with so many rows.

Readers of tables are silent about much. Daft takes the first file's schema for all of them, and makes null of what does
not fit it, as it does of what does not fit a schema that is given. It takes `[`, `{`, `*` and `?` in the name of a file
for a pattern, by which it reads other files. It reads the files of a folder in the file system's order. So no step
reads a file that was not looked at here: it is named, and it has the schema and as many rows as were written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import daft
import pyarrow as pa
import pyarrow.parquet as pq
from daft import DataType
from daft.exceptions import DaftCoreException

from snowcoder.errors import OperationError
from snowcoder.lineage.rows import start_again

_PATTERN = re.compile(r"[][{}*?!\\]")


class Table(NamedTuple):
    """A parquet file of a step, and how many rows that wrote."""

    path: Path
    rows: int

    def open(self, schema: pa.Schema) -> pq.ParquetFile:
        """Raises OperationError where the file is another one than was written."""
        with self._reading():
            file = pq.ParquetFile(self.path, memory_map=True)
        if not file.schema_arrow.equals(schema):
            raise self._changed(_difference(file.schema_arrow, schema))
        if file.metadata.num_rows != self.rows:
            raise self._changed(f"has {file.metadata.num_rows:,} rows, and {self.rows:,} were written")
        return file

    def read(self, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
        """Raises OperationError as `open` does, and where its pages are damaged."""
        file = self.open(schema)
        with self._reading():
            return file.read(columns)

    def row_groups(
        self, schema: pa.Schema, columns: list[str] | None = None, only: Iterable[int] | None = None
    ) -> Iterator[pa.Table]:
        """One at a time, all of them or `only` those of these numbers. Raises as `read` does."""
        file = self.open(schema)
        for number in range(file.num_row_groups) if only is None else only:
            with self._reading():
                group = file.read_row_group(number, columns)
            yield group

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise self._changed(f"cannot be read ({' '.join(str(error).split())})") from None

    def _changed(self, what: str) -> OperationError:
        return OperationError(f"{self.path} {what}: it was changed after it was written; {start_again(self.path)}")


def count_rows(*paths: Path) -> int:
    """Rows of parquet files, by their footers."""
    return sum(pq.read_metadata(path).num_rows for path in paths)


def read_tables(tables: Sequence[Table], schema: pa.Schema) -> daft.DataFrame:
    """All rows, in the order of the files' names; for the engine. Raises OperationError for a file that was changed."""
    for table in tables:
        table.open(schema).close()
    types = {field.name: DataType.from_arrow_type(field.type) for field in schema}
    paths = sorted(os.path.abspath(table.path) for table in tables)
    return daft.read_parquet([_literal(path) for path in paths], infer_schema=False, schema=types)


def write_table(frame: daft.DataFrame, path: Path, schema: pa.Schema) -> int:
    """All rows in one file: they pass through this process, and are not held in it. Returns how many.

    Raises OperationError where the engine gives other columns, or a null, which none of its tables has.
    """
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in tables_of(frame, schema):
            writer.write_table(table)
            rows += len(table)
    return rows


def tables_of(frame: daft.DataFrame, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a frame, some at a time. Raises as `write_table` does, and where a table's pages are damaged."""
    for batch in _batches(frame):
        table = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
        if nulls := [name for name in schema.names if table[name].null_count]:
            raise OperationError(f"daft {daft.__version__} made nulls in column {', '.join(nulls)}; {start_again()}")
        yield table


def _batches(frame: daft.DataFrame) -> Iterator[pa.RecordBatch]:
    try:
        yield from frame.to_arrow_iter()
    except DaftCoreException as error:
        if "CorruptFile" not in str(error):
            raise
        what = " ".join(str(error).split()).removeprefix("DaftError::CorruptFile ")
        raise OperationError(
            f"{what}: this file was changed after it was written; remove it and {start_again()}"
        ) from None


def _literal(path: str) -> str:
    """The name of one file, where the engine would take it for a pattern."""
    return _PATTERN.sub(r"\\\g<0>", path)


def _difference(found: pa.Schema, wanted: pa.Schema) -> str:
    if found.names != wanted.names:
        return f"has the columns {', '.join(found.names)}, and not {', '.join(wanted.names)}"
    name = next(name for name in wanted.names if found.field(name) != wanted.field(name))
    return f"has {found.field(name).type} in its column {name}, and not {wanted.field(name).type}"
