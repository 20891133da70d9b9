"""What several tests of the index need."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_shard(path: Path, rows: list[dict[str, str]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=16)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, hidden ones too; without the checkout's commit, which may move while tests run."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): re.sub(rb'"commit": "[^"]*"', b"", path.read_bytes()) for path in paths}


def times(folder: Path) -> dict[str, int]:
    """When each finished file below `folder` was written; a killed process leaves hidden ones besides."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in paths}
