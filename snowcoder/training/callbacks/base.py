"""The hooks of the training loop. All ranks call them, in the order of the list, at the same steps."""

from __future__ import annotations

from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.training.recovery.skips import Skip
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult


class Callback:
    def on_start(self, run: Run) -> None:
        """Before the first update, with the checkpoint loaded."""

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        """After each update, which was one of `phase`; `run.step` counts it already."""

    def on_skip(self, run: Run, phase: PhasePlan, skip: Skip) -> None:
        """After a step of `phase` that was passed over; `run.step` counts it already."""

    def on_rollback(self, run: Run) -> None:
        """After the run went back to `run.step`."""

    def on_end(self, run: Run) -> None:
        """After the last update, or when the run stops; the last callback comes first."""
