"""Tokens/s of `snowcoder index build` against the classic way, on the same documents and two cores.

Both sides are timed as commands, from the start of the interpreter to the last byte of the index:
ours reads parquet shards, the peer (megatron_preprocess.py) JSON lines. Their token ids must agree.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.result import Result
from benchmarks.sources import Document, documents
from snowcoder.index.reader import IndexedSource
from snowcoder.tokenization import byte_bpe
from snowcoder.tokenization.load import FILE, Tokenizer, load_tokenizer
from snowcoder.tokenization.special import special_tokens

CORES = 2
MEBIBYTES = 256  # enough that a second of starting up does not decide
SHARDS = 8
RUNS = 2  # of ours, before and after the one of the peer, which takes minutes
SHIPPED = Path(__file__).parents[1] / "tokenizer" / "snowcoder-64k"


def run() -> Result:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="bench-index-") as folder:
        return _compare(Path(folder))


def _compare(folder: Path) -> Result:
    corpus = list(documents(MEBIBYTES << 20))
    size = sum(len(document.content.encode()) for document in corpus)
    print(f"{len(corpus):,} documents, {size / 2**20:.0f} MiB, {CORES} cores", flush=True)
    tokenizer = _tokenizer(folder / "tokenizer", corpus)
    _write_shards(folder / "shards", corpus)
    partitions = _write_json_lines(folder, corpus)
    del corpus
    ours = [_time_ours(folder, tokenizer, number) for number in range(RUNS)]
    peer = _time_peer(folder, tokenizer, partitions)
    ours += [_time_ours(folder, tokenizer, RUNS + number) for number in range(RUNS)]
    index = IndexedSource(folder / "index-0" / "raw")
    _check_same_tokens(index, folder / "merged")
    seconds = statistics.median(ours)
    return Result(
        name="index",
        ours=round(index.tokens / seconds),
        peer=round(index.tokens / peer),
        unit="tokens/s",
        ratio=round(peer / seconds, 2),
        detail={
            "tokens": index.tokens,
            "documents": index.documents,
            "bytes": size,
            "cores": CORES,
            "vocab_size": tokenizer.vocab_size,
            "encoders": index.manifest.counts["encoders"],
            "ours_seconds": [round(second, 2) for second in ours],
            "peer_seconds": round(peer, 2),
        },
    )


def _tokenizer(folder: Path, corpus: list[Document]) -> Tokenizer:
    """The one that ships; in a checkout without it, one trained on a part of the corpus."""
    if SHIPPED.is_dir():
        return load_tokenizer(SHIPPED)
    print("training a tokenizer of 64,000 entries", flush=True)
    texts = (document.content for document in corpus[:: max(1, len(corpus) // 4000)])
    folder.mkdir()
    byte_bpe.train_byte_bpe(texts, 64_000, special_tokens(32)).save(str(folder / FILE))
    return load_tokenizer(folder)


def _write_shards(folder: Path, corpus: list[Document]) -> None:
    folder.mkdir()
    for number, part in enumerate(_split(corpus, SHARDS)):
        columns = {
            "content": [document.content for document in part],
            "repo_name": [document.repository for document in part],
            "path": [document.path for document in part],
            "language": [document.language for document in part],
            "detected_licenses": ["unknown"] * len(part),
        }
        path = folder / f"part-{number:05d}.parquet"
        pq.write_table(pa.table(columns), path, compression="zstd", row_group_size=1000)


def _write_json_lines(folder: Path, corpus: list[Document]) -> list[Path]:
    paths = [folder / f"partition-{number}.jsonl" for number in range(CORES)]
    for path, part in zip(paths, _split(corpus, CORES), strict=True):
        with path.open("w") as file:
            file.writelines(json.dumps({"text": document.content}) + "\n" for document in part)
    return paths


def _split(corpus: list[Document], parts: int) -> list[list[Document]]:
    cuts = [len(corpus) * number // parts for number in range(parts + 1)]
    return [corpus[start:stop] for start, stop in itertools.pairwise(cuts)]


def _time_ours(folder: Path, tokenizer: Tokenizer, number: int) -> float:
    return _time(
        "-m",
        "snowcoder",
        "index",
        "build",
        f"index.dir={folder / f'index-{number}'}",
        "~phases.phase2",
        "~phases.phase3",
        "~index.sources",
        f"+index.sources.raw.shards={folder / 'shards'}",
        "index.held_out=0",
        f"tokenizer.dir={tokenizer.folder}",
    )


def _time_peer(folder: Path, tokenizer: Tokenizer, partitions: list[Path]) -> float:
    numbers = [str(tokenizer.end_of_text), str(tokenizer.vocab_size)]
    arguments = [str(folder / "merged"), str(tokenizer.folder / FILE), *numbers]
    return _time("-m", "benchmarks.megatron_preprocess", *arguments, *map(str, partitions))


def _time(*arguments: str) -> float:
    """Wall seconds of a Python command, from start to exit."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", *arguments], check=True)
    seconds = time.perf_counter() - begun
    print(f"{arguments[1]}: {seconds:.1f} s", flush=True)
    return seconds


def _check_same_tokens(index: IndexedSource, merged: Path) -> None:
    ids = np.memmap(merged.with_suffix(".bin"), np.uint16, mode="r")
    begin = 0
    for prefix in index.prefixes:
        found = np.memmap(prefix.with_suffix(".bin"), np.uint16, mode="r")
        if not np.array_equal(found, ids[begin : begin + len(found)]):
            raise RuntimeError(f"{prefix}: other tokens than the peer's")
        begin += len(found)
    if begin != len(ids):
        raise RuntimeError(f"{begin} tokens, the peer has {len(ids)}")
