"""Files/s of `snowcoder annotate score` against a plain transformers pipeline, of one annotator on two cores.

Both sides are timed as commands, from the start of the interpreter on, and read the same sections of the same files.
The peer is the pipeline as it comes, and with batches of 32. Their rankings of the files must agree.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import spearmanr

from benchmarks.result import Result
from benchmarks.sources import Document, documents
from snowcoder.annotation.scores import SUFFIX

CORES = 2
FILES = 1200
EXAMPLES = 250  # of each class, for the annotator
SHARDS = 2
RUNS = 2
AGREEMENT = 0.99


def run() -> Result:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="bench-scoring-") as folder:
        return _compare(Path(folder))


def _compare(folder: Path) -> Result:
    _write_shards(folder)
    config = _overrides(folder)
    _snowcoder("annotate", "train", *config)
    first = _time_ours(config)  # with the model's conversion to int8, which is made once for an annotator
    ours = []
    for _ in range(RUNS):
        for path in (folder / "scores").glob("*.*"):
            path.unlink()
        ours.append(_time_ours(config))
    peers = {batch: _time_peer(folder, batch) for batch in (1, 32)}
    agreement = _agreement(folder)
    if agreement < AGREEMENT:
        raise RuntimeError(f"the rankings differ: a rank correlation of {agreement:.4f}")
    return Result(
        name="scoring",
        ours=round(FILES / min(ours), 2),
        peer=round(FILES / peers[1], 2),
        unit="files/s",
        ratio=round(peers[1] / min(ours), 2),
        detail={
            "files": FILES,
            "cores": CORES,
            "spearman": round(agreement, 4),
            "ours_seconds": [round(seconds, 2) for seconds in ours],
            "ours_seconds_with_conversion": round(first, 2),
            "peer_seconds": round(peers[1], 2),
            "peer_seconds_in_batches_of_32": round(peers[32], 2),
        },
    )


def _write_shards(folder: Path) -> None:
    """Good files of Python's library, and files from everywhere."""
    found = [document for document in documents(sys.maxsize) if len(document.content) > 200]
    good = [
        document for document in found if document.repository in ("asyncio", "email", "json", "logging", "unittest")
    ]
    _write(folder / "good" / "0.parquet", good[:EXAMPLES])
    step = len(found) // (FILES + EXAMPLES)
    every = found[::step][: FILES + EXAMPLES]
    _write(folder / "other" / "0.parquet", every[FILES:])
    for number in range(SHARDS):
        _write(folder / "files" / f"{number}.parquet", every[:FILES][number::SHARDS])


def _write(path: Path, rows: list[Document]) -> None:
    path.parent.mkdir(exist_ok=True)
    names = ("content", "repo_name", "path", "language")
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), path)


def _overrides(folder: Path) -> list[str]:
    return [
        "annotator=hq",
        f"run.dir={folder}",
        f"annotator.dir={folder}/annotator",
        f"annotator.score.dir={folder}/scores",
        f"index.sources.raw.shards={folder}/files",
        f"annotator.positives.hqcode.shards={folder}/good",
        f"annotator.negatives.shards={folder}/other",
        "encoder=minilm",
        "recipe=demo",
        "storage=disk",
        "annotator.encoder.tokens=256",
        "annotator.sections.characters=2000",
        "annotator.score.runtime=openvino",
    ]


def _snowcoder(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "snowcoder", *arguments], check=True)


def _time_ours(config: list[str]) -> float:
    begun = time.perf_counter()
    _snowcoder("annotate", "score", *config)
    return time.perf_counter() - begun


def _time_peer(folder: Path, batch: int) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "benchmarks.scoring_peer", str(folder), str(batch)], check=True)
    return time.perf_counter() - begun


def _agreement(folder: Path) -> float:
    tables = [pq.read_table(path) for path in sorted((folder / "scores").glob(f"*{SUFFIX}"))]
    ours = np.concatenate([table["score"].to_numpy() for table in tables])
    return float(spearmanr(ours, json.loads((folder / "peer.json").read_text())).statistic)
