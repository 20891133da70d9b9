"""A run of phase 1 alone on real source code, which the benchmarks of training begin with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.sources import documents


def phase1_alone(folder: Path) -> list[str]:
    """Overrides: index, tokenizer and shards lie in `folder`; nothing is validated on the way."""
    return [
        "recipe=demo",
        "storage=disk",
        "~phases.phase2",
        "~phases.phase3",
        "~index.sources",
        f"+index.sources.raw.shards={folder}/shards",
        f"index.dir={folder}/index",
        f"tokenizer.dir={folder}/tokenizer",
        "phases.phase1.sources.raw.max_epochs=99",
        "logging.validate_every=0",
    ]


def build_index(folder: Path, max_bytes: int, overrides: list[str]) -> None:
    """Of so many bytes of source code, by a tokenizer that is trained on them."""
    rows = list(documents(max_bytes))
    (folder / "shards").mkdir()
    columns = {"content": [row.content for row in rows], "repo_name": [row.repository for row in rows]}
    pq.write_table(pa.table(columns), folder / "shards" / "0.parquet")
    run_snowcoder("tokenizer", "train", *overrides, f"tokenizer.shards={folder}/shards")
    run_snowcoder("index", "build", "raw", *overrides)


def run_snowcoder(*arguments: str) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-m", "snowcoder", *arguments], check=True)
