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
    """Writes rank-N.json: the report; gloo-N.txt: calls by name; memory-N.txt: bytes that the process took on top."""
    before = _memory("VmRSS")
    watch = ProfiledWatch(64, fake=False)
    report = watched_step(config, watch)
    place, rank = Path(folder), dist.get_rank()
    (place / f"memory-{rank}.txt").write_text(str(_memory("VmHWM") - before))
    (place / f"rank-{rank}.json").write_text(report.model_dump_json())
    (place / f"gloo-{rank}.txt").write_text("\n".join(sorted(watch.gloo.elements())))


def _memory(name: str) -> int:
    (line,) = (line for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
