"""The training loop. Whatever is not an update is a callback."""

from __future__ import annotations

from snowcoder.training.callbacks.base import Callback
from snowcoder.training.optimizer import reset_state
from snowcoder.training.recovery.rollback import RollBack, roll_back
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult, train_step


def run_phases(run: Run, callbacks: list[Callback]) -> None:
    """Execute the run's phases from `run.step` on, switching at step boundaries, until their end or `run.stop`."""
    for callback in callbacks:
        callback.on_start(run)
    while run.step < run.last_step and not run.stop:
        try:
            _step(run, callbacks)
        except RollBack as decision:
            roll_back(run, decision)
            for callback in callbacks:
                callback.on_rollback(run)
    for callback in reversed(callbacks):
        callback.on_end(run)


def _step(run: Run, callbacks: list[Callback]) -> None:
    phase = run.plan.phase_at(run.step)
    if run.step == phase.first_step and phase.optimizer_state == "reset":
        reset_state(run.model.optimizer)
    result = train_step(run, phase)
    for callback in callbacks:
        if isinstance(result, StepResult):
            callback.on_step(run, phase, result)
        else:
            callback.on_skip(run, phase, result)
