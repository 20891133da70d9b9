"""Read the sidecar of an indexed shard: what is known of its documents, in the order of the .idx."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snowcoder.errors import OperationError
from snowcoder.index.format import open_idx
from snowcoder.index.writer import SIDECAR


def read_sidecar(prefix: Path, columns: list[str] | None = None) -> pa.Table:
    """Rows of `prefix`.docs.parquet, one for each document of `prefix`.idx.

    Raises OperationError where they are others: whoever reads them by their place would take one for another.
    """
    path, schema = prefix.with_suffix(".docs.parquet"), pa.schema([SIDECAR.field(n) for n in columns or SIDECAR.names])
    try:
        rows = pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise OperationError(f"{path} cannot be read ({' '.join(str(error).split())}); {_AGAIN}") from None
    if not rows.schema.equals(schema):
        raise OperationError(f"{path} has other columns than {', '.join(map(str, schema))}; {_AGAIN}")
    documents = len(open_idx(prefix.with_suffix(".idx")).lengths)
    if len(rows) != documents:
        raise OperationError(f"{path} has {len(rows):,} rows, and {prefix}.idx {documents:,} documents; {_AGAIN}")
    return rows


_AGAIN = "remove it and run `snowcoder index build` again, or `snowcoder annotate select` for a selection"
