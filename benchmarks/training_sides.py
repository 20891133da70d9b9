"""One side of the training benchmark: `python -m benchmarks.training_sides SIDE SHAPE DTYPE FOLDER`.

It trains on one thread. A line with a number on its input is a turn of so many steps; the answer is a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import torch

from benchmarks.training_shapes import SHAPES

_ANSWERS = os.fdopen(os.dup(1), "w")  # for the libraries print, too


class Turns:
    """Called after each step: between two turns it waits for the next one."""

    def __init__(self) -> None:
        self.left, self.losses = 1, list[float]()
        self.began, self.cpu = time.perf_counter(), time.process_time()

    def stepped(self, loss: float) -> None:
        self.losses.append(loss)
        self.left -= 1
        if self.left == 0:
            self._answer()
            self.left = int(sys.stdin.readline() or _leave())
            self.losses = []
            self.began, self.cpu = time.perf_counter(), time.process_time()

    def _answer(self) -> None:
        seconds, cpu = time.perf_counter() - self.began, time.process_time() - self.cpu
        answer = {"losses": self.losses, "seconds": seconds, "cpu_seconds": cpu, "peak_mib": _peak_mib()}
        print(json.dumps(answer), file=_ANSWERS, flush=True)


def _leave() -> NoReturn:
    os._exit(0)  # the collectives of other ranks need not end well


def _peak_mib() -> float:
    """Of this process; ru_maxrss would be at least that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def ours(folder: Path) -> None:
    """What `snowcoder train` does on a rank, with one more callback."""
    from snowcoder.config.frozen import read_config
    from snowcoder.model import platform

    platform.install()
    from snowcoder.training.rank.process_groups import process_groups

    config = read_config(folder / "resolved.yaml")
    with process_groups(config):
        from snowcoder.training.callbacks.base import Callback
        from snowcoder.training.checkpoints.write import Checkpoints
        from snowcoder.training.loop import run_phases
        from snowcoder.training.recovery.resume import resume
        from snowcoder.training.state import build_run
        from snowcoder.training.train_on_rank import callbacks_of

        class Stepped(Callback):
            def on_step(self, run: Any, phase: Any, result: Any) -> None:
                turns.stepped(result.loss)

        run = build_run(config)
        checkpoints = Checkpoints(run.folder / "checkpoints", config)
        print(resume(run, checkpoints.folder))
        turns = Turns()
        run_phases(run, [*callbacks_of(run, checkpoints), Stepped()])


def peer(side: str, shape: str, dtype: str, folder: Path) -> None:
    from benchmarks.training_peers import losses

    turns = Turns()
    for loss in losses(folder, SHAPES[shape], dtype, side):
        turns.stepped(loss)


if __name__ == "__main__":
    side, shape, dtype, place = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
    os.dup2(2, 1)
    torch.set_num_threads(1)
    ours(place / f"{side}-{dtype}") if side.startswith("ours") else peer(side, shape, dtype, place)
