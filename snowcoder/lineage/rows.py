"""Rows in, rows out: a row that a step reads is written, or dropped for a reason that is counted."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from snowcoder.errors import OperationError


class RowCounts(NamedTuple):
    """What became of rows, each number counted where it happens: `written` by the files' own footers, say."""

    read: int
    written: int
    dropped: int = 0  # for all reasons


def check_rows(what: str, rows: RowCounts, made: Path | None = None) -> None:
    """Raises OperationError where rows came from nowhere or went there. `made`: what to remove to make them again."""
    if missing := rows.read - rows.written - rows.dropped:
        raise OperationError(
            f"{what}: of {rows.read:,} rows {rows.written:,} were written and {rows.dropped:,} dropped, so "
            f"{_amount(missing)}; {start_again(made)}"
        )


def check_given(what: str, given: int, read: int, made: Path | None = None) -> None:
    """Raises OperationError where a step read more or fewer rows than the one before it wrote."""
    if given != read:
        raise OperationError(
            f"{what}: {read:,} rows were read, where the step before wrote {given:,}, so {_amount(given - read)}; "
            f"{start_again(made)}"
        )


def start_again(made: Path | None = None) -> str:
    """What a reader is told to do about a table that is not what it should be."""
    remove = f"remove {made} and " if made else ""
    return f"{remove}run the same command again; if it says so again, it is a fault of snowcoder: report it"


def _amount(missing: int) -> str:
    lost = "too many" if missing < 0 else "lost"
    return f"{abs(missing):,} {'is' if abs(missing) == 1 else 'are'} {lost}"
