"""Watches the losses, and decides when the run goes back."""

from __future__ import annotations

import statistics

import torch.distributed as dist

from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.events import Events
from snowcoder.training.recovery.rollback import RollBack
from snowcoder.training.recovery.skips import Skip
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult


class Guard(Callback):
    """First of the callbacks, so that a bad step is neither logged nor saved.

    A spike is a loss more than `guard.sigma` standard deviations above the mean of the phase's last `guard.window`
    losses: the rule of OLMo-core's SkipStepOptimizer, there for passing over an update.
    """

    def __init__(self, run: Run) -> None:
        self.rule = run.config.guard

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        if run.step - 1 == phase.first_step:
            run.losses = []  # another mixture, another level
        if len(run.losses) == self.rule.window and result.loss > (limit := self._limit(run.losses)):
            first = max(phase.first_step, run.step - self.rule.skip_steps)
            why = f"loss spike at step {run.step}: {result.loss:.4f}, above {limit:.4f}"
            raise RollBack(first, run.step, why)
        run.losses = [*run.losses, result.loss][-self.rule.window :]

    def on_skip(self, run: Run, phase: PhasePlan, skip: Skip) -> None:
        if run.step - 1 == phase.first_step:
            run.losses = []
        if skip.back_to is not None:
            return  # decided before
        if dist.get_rank() == 0 and run.skips.write_new():
            Events(run.config).add("skipped", skip.why, run.step)
        recent = [
            known for known in run.skips.all if known.back_to is None and known.first >= run.step - self.rule.window
        ]
        if len(recent) >= self.rule.max_skips and not self._went_back_for(run, recent):
            why = f"{len(recent)} steps skipped among the last {self.rule.window}, the last one {skip.why}"
            raise RollBack(recent[0].first, run.step, why)

    def _limit(self, losses: list[float]) -> float:
        return statistics.fmean(losses) + self.rule.sigma * statistics.stdev(losses)

    def _went_back_for(self, run: Run, recent: list[Skip]) -> bool:
        return any(known.back_to is not None and known.last >= recent[-1].last for known in run.skips.all)
