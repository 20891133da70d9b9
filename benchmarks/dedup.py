"""MB/s of near-deduplication against datatrove's MinHash, on the same files and two cores.

The peer as it comes (its word tokenizer for English), and with a tokenizer that is one regular expression.
Ours ends with verified copies, the peer with unverified clusters. Ours is also timed on a quarter and half
of the files: the cost should be linear.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from benchmarks.result import Result
from benchmarks.sources import documents
from snowcoder.corpus.document import Document, documents_table, size_of

CORES = 2
MEBIBYTES = 256  # the peer takes minutes over it
SHARDS = 8
SCALES = (0.25, 0.5, 1)
ROUNDS = 2  # the best of each side counts: what else the machine does only adds


def run() -> Result:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="bench-dedup-") as folder:
        return _compare(Path(folder))


def _compare(folder: Path) -> Result:
    sizes = {scale: _write(folder / f"files-{scale}", round(scale * MEBIBYTES) << 20) for scale in SCALES}
    rounds = [[_time(how, folder, 1) for how in ("ours", "code", "stock")] for _ in range(ROUNDS)]
    scaled = {scale: min(_time("ours", folder, scale) for _ in range(ROUNDS)) for scale in SCALES}
    ours, code, stock = (list(times) for times in zip(*rounds, strict=True))
    best, megabytes = min(ours), sizes[1] / 1e6
    return Result(
        name="dedup",
        ours=round(megabytes / best, 2),
        peer=round(megabytes / min(stock), 2),
        unit="MB/s",
        ratio=round(min(stock) / best, 1),
        detail={
            "bytes": sizes[1],
            "cores": CORES,
            "ours_seconds": [round(seconds, 2) for seconds in ours],
            "peer_seconds": [round(seconds, 2) for seconds in stock],
            "peer_with_code_regex_seconds": [round(seconds, 2) for seconds in code],
            "ratio_to_peer_with_code_regex": round(min(code) / best, 1),
            "ours_seconds_by_megabytes": {
                round(sizes[scale] / 1e6): round(seconds, 2) for scale, seconds in scaled.items()
            },
        },
    )


def _write(folder: Path, size: int) -> int:
    """Parquet for ours, JSON lines for the peer; returns the bytes of text."""
    folder.mkdir()
    found = list(_corpus(size))
    for number in range(SHARDS):
        part = found[number::SHARDS]
        ids = range(number << 32, (number << 32) + len(part))
        path = folder / f"{number:05d}.parquet"  # as `corpus pack` writes it
        pq.write_table(documents_table(part, ids), path, compression="zstd", row_group_size=1000)
        lines = (orjson.dumps({"text": d.content, "id": d.path}) + b"\n" for d in part)
        (folder / f"{number:05d}.jsonl").write_bytes(b"".join(lines))
    return sum(size_of(document) for document in found)


def _corpus(size: int) -> Iterator[Document]:
    """Files of this machine; where they are too few, again with other names for what their lines are about."""
    for turn in count():
        for d in documents(sys.maxsize):
            content = d.content if turn == 0 else re.sub(r"\b([a-z]{3,})\b", rf"\g<1>{turn}", d.content)
            yield Document(content, d.repository, d.path, d.language, ())
            size -= len(content)
            if size < 0:
                return


def _time(how: str, folder: Path, scale: float) -> float:
    """Wall seconds of a Python command, from start to exit."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    begun = time.perf_counter()
    arguments = ["-m", "benchmarks.dedup_sides", how, str(folder / f"files-{scale}"), str(work)]
    with (folder / "log").open("w") as log:
        done = subprocess.run([sys.executable, *arguments], check=False, stdout=log, stderr=log)
    if done.returncode:
        raise RuntimeError(f"{how}: {(folder / 'log').read_text()[-3000:]}")
    seconds = time.perf_counter() - begun
    print(f"{how}, {scale} times the files: {seconds:.1f} s", flush=True)
    return seconds
