"""Loss on held-out documents of each of the phase's sources."""

from __future__ import annotations

from megatron.core import parallel_state

from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.callbacks.metrics import Metrics
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult, held_out_loss


class Validation(Callback):
    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        every = run.config.logging.validate_every
        if every and (run.step % every == 0 or run.step == phase.last_step):
            found = {source.name: self._loss(run, source.name, phase.sequence_length) for source in phase.sources}
            losses = {name: loss for name, loss in found.items() if loss is not None}
            self.metrics.write({"kind": "validation", "step": run.step, "phase": phase.name, "losses": losses})

    def _loss(self, run: Run, source: str, length: int) -> float | None:
        """Over the first `validate_samples` windows, cut to a multiple that all ranks share; None if too few."""
        unit = run.config.parallel.micro_batch * parallel_state.get_data_parallel_world_size()
        if run.config.parallel.virtual_stages > 1:
            unit *= run.config.parallel.pipeline
        there = min(run.reader.held_out_windows(source, length), run.config.logging.validate_samples)
        share = there // unit * unit // parallel_state.get_data_parallel_world_size()
        if share == 0:
            return None
        first = share * parallel_state.get_data_parallel_rank()
        return held_out_loss(run, run.reader.held_out(source, first, share, length))
