"""Saves every so many steps, at the end of each phase, and at the end of the run."""

from __future__ import annotations

import torch.distributed as dist

from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.checkpoints.write import Checkpoints
from snowcoder.training.recovery.decisions import remove_disowned
from snowcoder.training.recovery.skips import Skip
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult

_STOP_SECONDS = 60.0  # for uploads, when a signal has said to stop: what is saved can be uploaded later


class Checkpointing(Callback):
    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        self._save_if_due(run, phase)

    def on_skip(self, run: Run, phase: PhasePlan, skip: Skip) -> None:
        self._save_if_due(run, phase)

    def on_rollback(self, run: Run) -> None:
        self.checkpoints.wait()  # a save in flight may be of the window that is now skipped
        if dist.get_rank() == 0:
            remove_disowned(run, self.checkpoints.folder)
        dist.barrier()

    def on_end(self, run: Run) -> None:
        self.checkpoints.save(run)
        self.checkpoints.wait()
        self.checkpoints.finish_uploads(_STOP_SECONDS if run.stop else float("inf"))
        self.checkpoints.require()

    def _save_if_due(self, run: Run, phase: PhasePlan) -> None:
        self.checkpoints.poll()
        if run.step % run.config.checkpoint.every_steps == 0 or run.step == phase.last_step:
            self.checkpoints.save(run)
