"""The training loop. Whatever is not an update is a callback."""

from __future__ import annotations

from snowcoder.training.callbacks.base import Callback
from snowcoder.training.optimizer import reset_state
from snowcoder.training.run import Run
from snowcoder.training.step import train_step


def train(run: Run, callbacks: list[Callback]) -> None:
    """Execute the run's phases from `run.step` on, switching at step boundaries."""
    for callback in callbacks:
        callback.on_start(run)
    while run.step < run.last_step:
        phase = run.plan.phase_at(run.step)
        if run.step == phase.first_step and phase.optimizer_state == "reset":
            reset_state(run.model.optimizer)
        result = train_step(run, phase)
        for callback in callbacks:
            callback.on_step(run, result)
    for callback in callbacks:
        callback.on_end(run)
