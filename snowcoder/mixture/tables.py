"""Arrays on disk that tell where documents and files lie: read where they are needed, never held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from snowcoder.errors import OperationError
from snowcoder.storage.atomic import atomic_path


@contextmanager
def new_table(path: Path, rows: int, dtype: type[np.generic]) -> Iterator[np.memmap]:
    """An array of `dtype`, [rows], to be filled; published on leaving without an error."""
    with atomic_path(path) as temporary:
        table = np.lib.format.open_memmap(temporary, "w+", dtype, (rows,))
        yield table
        table.flush()


def open_table(path: Path, rows: int) -> np.ndarray:
    """Map a table, [rows], of its own dtype. `OperationError` where it is missing, damaged or of another index."""
    try:
        table = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise OperationError(f"{path} cannot be read ({error}): run `snowcoder plan`") from None
    if len(table) != rows:
        raise OperationError(f"{path} has {len(table)} rows, the index {rows}: run `snowcoder plan`")
    found: np.ndarray = table
    return found
