"""Saves every so many steps, at the end of each phase, and at the end of the run."""

from __future__ import annotations

from snowcoder.training.callbacks.base import Callback
from snowcoder.training.checkpoint import Checkpoints
from snowcoder.training.run import Run
from snowcoder.training.step import StepResult


class Checkpointing(Callback):
    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints

    def on_step(self, run: Run, result: StepResult) -> None:
        self.checkpoints.poll()
        phase = run.plan.phase_at(run.step - 1)
        if run.step % run.config.checkpoint.every_steps == 0 or run.step == phase.first_step + phase.steps:
            self.checkpoints.save(run)

    def on_end(self, run: Run) -> None:
        self.checkpoints.save(run)
        self.checkpoints.wait()
