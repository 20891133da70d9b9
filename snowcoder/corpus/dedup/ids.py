"""Ids that go into the engine come out of it: checked on the tables that it is given and on those that it makes.

What it made null is lost without a word: null equals nothing in a join, and is a group of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import daft
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snowcoder.errors import OperationError
from snowcoder.lineage.rows import start_again
from snowcoder.stages.tables import Table

_U64 = (1 << 64) - 1


@dataclass(frozen=True)
class Ids:
    """Many ids, as far as two lots of them are told from each other: how many, and their sum modulo 2**64."""

    count: int
    sum: int

    def __add__(self, other: Ids) -> Ids:
        return Ids(self.count + other.count, (self.sum + other.sum) & _U64)


NO_IDS = Ids(0, 0)


def ids_of(column: pa.ChunkedArray) -> Ids:
    """Of a column of uint64 without nulls."""
    return _sum(column.to_numpy())


def _sum(ids: np.ndarray) -> Ids:
    return Ids(len(ids), int(ids.sum(dtype=np.uint64)))


def check_ids(what: str, given: Ids, found: Ids) -> None:
    """Raises OperationError where the engine has not kept the ids it was given."""
    if given != found:
        others = ", others" if given.count == found.count else ""
        raise OperationError(
            f"{what}: {found.count:,} ids came out of daft {daft.__version__}{others}, and {given.count:,} went in; "
            f"{start_again()}"
        )


def read_ids(table: Table, schema: pa.Schema, first: int | None = None) -> Ids:
    """The ids of a table for the engine. Raises OperationError for a null, or with `first` where they do not count up.

    `first`: the id of its first row, where each has the one after the row before it.
    """
    column = table.read(schema, ["id"])["id"]
    if column.null_count or (first is not None and not _counts_up(column, first)):
        raise OperationError(f"{table.path} has other ids than were written; {start_again(table.path)}")
    return ids_of(column)


def comparable_ids(signatures: list[Table], schema: pa.Schema, copies: np.ndarray) -> Ids:
    """Of all files that are neither short nor among `copies` (uint64 [copies], sorted): without the engine."""
    found = NO_IDS
    for table in signatures:
        rows = table.read(schema, ["id", "short"])
        ids = rows["id"].filter(pc.invert(rows["short"])).to_numpy()
        if len(ids):
            near = copies[np.searchsorted(copies, ids.min()) : np.searchsorted(copies, ids.max(), "right")]
            found += _sum(ids[np.isin(ids, near, invert=True)])
    return found


def _counts_up(column: pa.ChunkedArray, first: int) -> bool:
    return np.array_equal(column.to_numpy(), first + np.arange(len(column), dtype=np.uint64))
