"""The plan's table of one epoch against megatron-core's index builders, on the same lengths of 20 million documents.

Ours writes where each document begins in the epoch's order (8 bytes a document); the order itself, and that of windows,
are functions. The peer shuffles documents, cuts them into samples (`build_sample_idx`, C++) and shuffles these, and
saves the three arrays, as GPTDataset does. Each runs in a process of its own, in turns, from mapped lengths to files.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.result import Result
from snowcoder.index.format import open_idx, write_idx
from snowcoder.index.reader import IndexedSource
from snowcoder.lineage.manifest import Manifest
from snowcoder.mixture.stream import Epoch, write_starts

DOCUMENTS = 20_000_000
SHARDS = 8
SIZES = (DOCUMENTS // 4, DOCUMENTS // 2)  # each once more, to see how both grow
RUNS = 3
SEQUENCE, SEED = 8192, 1234
SPLIT = "train"


class Cost(NamedTuple):
    seconds: float  # by the clock
    cpu_seconds: float
    mib: float  # of memory at the peak, beyond what the process had at its start


def run() -> Result:
    with tempfile.TemporaryDirectory(prefix="bench-plan-") as folder:
        grown = {count: _compare(Path(folder, str(count)), count, 1) for count in SIZES}
        grown[DOCUMENTS] = _compare(Path(folder, str(DOCUMENTS)), DOCUMENTS, RUNS)
    ours, peer = grown[DOCUMENTS]
    return Result(
        name="plan",
        ours=round(DOCUMENTS / ours.seconds),
        peer=round(DOCUMENTS / peer.seconds),
        unit="documents/s",
        ratio=round(peer.seconds / ours.seconds, 3),
        detail={
            "sequence_length": SEQUENCE,
            "by_documents": {
                str(count): {side: each._asdict() for side, each in zip(("ours", "peer"), both, strict=True)}
                for count, both in grown.items()
            },
        },
    )


def _compare(folder: Path, documents: int, runs: int) -> tuple[Cost, Cost]:
    write_index_of_lengths(folder, documents)
    taken: dict[str, list[Cost]] = {"ours": [], "peer": []}
    for number in range(runs):
        for side in sorted(taken, reverse=bool(number % 2)):
            taken[side].append(_in_own_process(side, folder))
            print(f"{documents:,} documents, {side}: {taken[side][-1]}", file=sys.stderr, flush=True)
    ours, peer = (_median(taken[side]) for side in ("ours", "peer"))
    return ours, peer


def write_index_of_lengths(folder: Path, documents: int) -> None:
    """An index of so many documents with lengths as of source files, 3,000 tokens at the mean; its .bin are holes."""
    generator, counts = np.random.default_rng(SEED), []
    (folder / SPLIT).mkdir(parents=True)
    for number in range(SHARDS):
        share = documents // SHARDS
        lengths = np.clip(generator.lognormal(7.2, 1.3, share), 1, 1 << 20).astype(np.int32)
        tokens = int(lengths.sum(dtype=np.int64))
        prefix = folder / SPLIT / f"{number:05}"
        write_idx(prefix.with_suffix(".idx"), lengths, np.dtype(np.uint16))
        with prefix.with_suffix(".bin").open("wb") as file:
            file.truncate(2 * tokens)
        counts.append({"name": prefix.name, SPLIT: {"documents": share, "tokens": tokens}})
    total = {what: sum(shard[SPLIT][what] for shard in counts) for what in ("documents", "tokens")}  # type: ignore[index]
    Manifest("index", {}, {}, {"shards": counts, SPLIT: total}, []).write(folder)


def _in_own_process(side: str, folder: Path) -> Cost:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_timed, (side, folder))


def _timed(side: str, folder: Path) -> Cost:
    work = _ours if side == "ours" else _prepared_peer(folder)
    before, memory = os.times(), _peak_mib()
    started = time.monotonic()
    work(folder)
    seconds, after = time.monotonic() - started, os.times()
    cpu = after.user + after.system - before.user - before.system
    return Cost(round(seconds, 2), round(cpu, 2), round(_peak_mib() - memory, 1))


def _ours(folder: Path) -> None:
    write_starts(folder, Epoch("raw", 0), IndexedSource(folder, SPLIT), SEED)


def _prepared_peer(folder: Path) -> Callable[[Path], None]:
    """Its imports, and the lengths of all shards as one array, as a dataset of it has them, are not in the time."""
    from megatron.core.datasets import helpers
    from megatron.core.datasets.gpt_dataset import _build_document_index, _build_shuffle_index

    shards = json.loads((folder / "manifest.json").read_text())["counts"]["shards"]
    lengths = np.concatenate([open_idx(folder / SPLIT / f"{shard['name']}.idx").lengths for shard in shards])
    tokens = int(lengths.sum(dtype=np.int64))

    def work(folder: Path) -> None:
        state = np.random.RandomState(SEED)
        documents = _build_document_index(np.arange(len(lengths), dtype=np.int32), 1, state, False)
        samples = helpers.build_sample_idx(lengths, documents, SEQUENCE, 1, tokens, True, True)
        order = _build_shuffle_index(len(samples) - 1, len(samples) - 1, state)
        for name, array in {"documents": documents, "samples": samples, "order": order}.items():
            np.save(folder / f"{name}.npy", array)

    return work


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _median(all_taken: list[Cost]) -> Cost:
    return Cost(*(round(statistics.median(values), 2) for values in zip(*all_taken, strict=True)))
