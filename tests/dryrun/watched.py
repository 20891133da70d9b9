"""What real ranks do for tests of the dry run: a task of `launch`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.dryrun.rank_step import watched_step
from snowcoder.dryrun.watch import Watch
from snowcoder.model.linear import product


class ProfiledWatch(Watch):
    """Besides, the collectives of each stretch between two `forget` as gloo itself tells the profiler."""

    profiler: Any = None

    def forget(self) -> None:
        super().forget()
        self.gloo: Counter[str] = Counter()
        if self.profiler:
            self.profiler.stop()
            self.gloo.update(event.name for event in self.profiler.events() if "gloo:" in event.name)
        self.profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
        self.profiler.start()


def real_step(config: Config, folder: str) -> None:
    """Writes rank-N.json, the report, and gloo-N.txt, calls by name."""
    watch = ProfiledWatch(64, fake=False)
    report = watched_step(config, watch)
    place, rank = Path(folder), dist.get_rank()
    (place / f"rank-{rank}.json").write_text(report.model_dump_json())
    (place / f"gloo-{rank}.txt").write_text("\n".join(sorted(watch.gloo.elements())))


def memory_of_step(config: Config, file: str) -> None:
    """Writes how many bytes more the process had at the most than before it built the model, as Linux counts.

    Without the libraries' code that is first run in it: 18 MB of torch's CPU build, 26 MB of its CUDA build.
    """
    x = torch.ones(512, 512)
    product(x, x) @ x  # what the first products allocate for good is none of the model's
    before, code = _memory("VmRSS"), _memory("RssFile")
    watched_step(config, Watch(64, fake=False))
    Path(file).write_text(str(_memory("VmHWM") - before - (_memory("RssFile") - code)))


def _memory(name: str) -> int:
    (line,) = (line for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
