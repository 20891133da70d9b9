"""Records torch.profiler traces of the steps that the config names, one file a rank."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from torch.profiler import profile

from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult


class Profiler(Callback):
    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.profile: Any = None

    def on_start(self, run: Run) -> None:
        self._begin(run)

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        if self.profile is not None and run.step >= self.last:
            self._write(run)
        else:
            self._begin(run)

    def on_end(self, run: Run) -> None:
        """The run may end before the last of them; a profile that is left open takes the process with it."""
        if self.profile is not None:
            self._write(run)

    def _write(self, run: Run) -> None:
        self.profile.stop()
        folder = run.folder / "profile"
        folder.mkdir(parents=True, exist_ok=True)
        self.profile.export_chrome_trace(str(folder / f"rank{dist.get_rank()}.json.gz"))
        self.profile = None

    def _begin(self, run: Run) -> None:
        if self.profile is None and run.step + 1 == self.first:
            self.profile = profile()
            self.profile.start()
