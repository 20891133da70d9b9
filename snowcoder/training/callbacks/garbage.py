"""Collects garbage on all ranks at the same steps."""

from __future__ import annotations

import gc

from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.recovery.skips import Skip
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult

_EVERY_STEPS = 100  # as Megatron-Bridge's recipes have it


class GarbageCollection(Callback):
    """Left to itself, Python collects on each rank at another moment, and all ranks wait for each of them."""

    def on_start(self, run: Run) -> None:
        gc.disable()
        gc.collect()
        gc.freeze()  # model, index and plan stay: no collection looks at them again

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        self._collect_if_due(run)

    def on_skip(self, run: Run, phase: PhasePlan, skip: Skip) -> None:
        self._collect_if_due(run)

    def on_end(self, run: Run) -> None:
        gc.unfreeze()
        gc.enable()

    def _collect_if_due(self, run: Run) -> None:
        if run.step % _EVERY_STEPS == 0:
            gc.collect()
