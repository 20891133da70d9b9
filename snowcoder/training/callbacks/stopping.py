"""Stops the run at a step boundary when any rank has been told to by a signal."""

from __future__ import annotations

import signal

import torch
import torch.distributed as dist

from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.model import platform
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.rank import signals
from snowcoder.training.recovery.skips import Skip
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult


class Stopping(Callback):
    """Signals reach ranks at different times: they agree by an all-reduce a step, tiny beside the step's own."""

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        self._look(run)

    def on_skip(self, run: Run, phase: PhasePlan, skip: Skip) -> None:
        self._look(run)

    def _look(self, run: Run) -> None:
        number = torch.tensor(int(signals.received() or 0), device=platform.device())
        dist.all_reduce(number, dist.ReduceOp.MAX)
        if found := int(number.item()):
            run.stop = signal.Signals(found).name
