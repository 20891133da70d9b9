"""Before training: is every rank as fast as the others, at computing, at talking to its neighbours and at writing?

One slow rank makes all ranks as slow as itself, for days, without an error.
"""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.errors import BadNode
from snowcoder.model import platform
from snowcoder.training.rank.pulse import doing

_REPEATS = 5  # of which the fastest counts, for a machine may be busy for a moment
_SIZE = 256 if platform.ON_CPU else 8192  # rows and columns of the matrices
_MESSAGE = (1 << 20) if platform.ON_CPU else (64 << 20)  # bytes to a neighbour
_FILE = (4 << 20) if platform.ON_CPU else (32 << 20)  # bytes to the run's disk
_CLOCK_SECONDS = 5.0
# Of each test, the seconds below which differences say more of the moment than of the node.
_TESTS = {"matrix product": 0.005, "link": 0.005, "disk": 0.1}

Measured = dict[str, Any]  # of one rank: host, seconds of each test, the product's sum, the clock


def check_nodes(config: Config) -> list[Measured]:
    """Measure every rank, and return what was measured. Raises `BadNode` naming the outliers, on all ranks alike."""
    doing("node check")
    dist.barrier()
    own: Measured = {"host": socket.gethostname(), "clock": time.time()}
    own["matrix product"], own["sum"] = _multiply()
    own["link"] = _exchange()
    own["disk"] = _write(Path(config.run.dir))
    every: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(every, own)
    problems = find_outliers(every, config.launch.outlier)
    if problems:
        hosts = sorted({every[rank]["host"] for rank in problems})
        raise BadNode("node check: " + "; ".join(problems.values()), hosts)
    return every


def find_outliers(ranks: list[Measured], factor: float) -> dict[int, str]:
    """What is wrong with which rank: a test that takes `factor` times the median, another product, another time."""
    problems: dict[int, str] = {}
    for test, unnoticed in _TESTS.items():
        usual = max(statistics.median_low([rank[test] for rank in ranks]), unnoticed)
        for number, rank in enumerate(ranks):
            if rank[test] > factor * usual:
                slow = f"{test} takes {rank[test] * 1e3:.1f} ms, {rank[test] / usual:.1f} times the median"
                problems.setdefault(number, f"rank {number} on {rank['host']}: {slow}")
    sums, clock = statistics.mode([rank["sum"] for rank in ranks]), statistics.median([rank["clock"] for rank in ranks])
    for number, rank in enumerate(ranks):
        if rank["sum"] != sums:
            problems.setdefault(number, f"rank {number} on {rank['host']}: computes another matrix product than most")
        if abs(rank["clock"] - clock) > _CLOCK_SECONDS:
            off = f"its clock is {rank['clock'] - clock:+.0f} s off"
            problems.setdefault(number, f"rank {number} on {rank['host']}: {off}")
    return problems


def _multiply() -> tuple[float, float]:
    """Seconds of a matrix product, and the sum of its elements, the same on equal hardware."""
    generator = torch.Generator().manual_seed(0)
    dtype = torch.float32 if platform.ON_CPU else torch.bfloat16
    matrix = torch.randn(_SIZE, _SIZE, generator=generator).to(platform.device(), dtype)
    seconds = _fastest(lambda: [matrix @ matrix for _ in range(8)])
    return seconds, (matrix @ matrix).double().sum().item()


def _exchange() -> float:
    """Seconds of a message to and from a neighbour in the ring of ranks; the faster of its two neighbours.

    A slow rank slows both of its neighbours down, but each of them has another one.
    """
    rank, size = dist.get_rank(), dist.get_world_size()
    times = []
    for pairs in _rounds(size):
        partner = next((other for pair in pairs for me, other in (pair, pair[::-1]) if me == rank), None)
        if partner is not None:
            times.append(_fastest(partial(_swap, partner)))
        dist.barrier()
    return min(times, default=0.0)


def _rounds(size: int) -> list[list[tuple[int, int]]]:
    """The neighbours in a ring as pairs, in rounds in which nobody has two partners."""
    edges = [(rank, (rank + 1) % size) for rank in range(size if size > 2 else size - 1)]
    last = [edges.pop()] if size % 2 and size > 2 else []
    return [round for round in (edges[::2], edges[1::2], last) if round]


def _swap(partner: int) -> None:
    ours, theirs = (torch.zeros(_MESSAGE, dtype=torch.uint8, device=platform.device()) for _ in range(2))
    calls = [dist.P2POp(dist.isend, ours, partner), dist.P2POp(dist.irecv, theirs, partner)]
    for work in dist.batch_isend_irecv(calls):
        work.wait()


def _write(folder: Path) -> float:
    """Seconds to write a file to the run's disk, durably."""
    path = folder / f".node-check-{dist.get_rank()}.tmp"
    data = bytes(_FILE)

    def write() -> None:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _fastest(write)
    finally:
        path.unlink(missing_ok=True)


def _fastest(action: Callable[[], Any]) -> float:
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        action()
        if not platform.ON_CPU:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)
