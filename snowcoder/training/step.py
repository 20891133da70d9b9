"""One update, and one evaluation, over all parallel ranks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from megatron.core.pipeline_parallel import get_forward_backward_func

from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.mixture.samples import Samples
from snowcoder.model import platform
from snowcoder.training.agreement import agree
from snowcoder.training.batches import MicroBatch, micro_batches, on_device
from snowcoder.training.optimizer import set_learning_rate, squared_norm, update
from snowcoder.training.rank.process_groups import counts_loss
from snowcoder.training.rank.pulse import doing
from snowcoder.training.read_ahead import ReadAhead
from snowcoder.training.recovery.skips import Skip
from snowcoder.training.schedule import learning_rate
from snowcoder.training.state import Run


class StepResult(NamedTuple):
    """The same numbers on every rank, but for its own seconds."""

    step: int  # finished updates, this one included
    phase: str
    loss: float  # mean over the tokens of the global batch, nats
    gradient_norm: float  # before clipping
    learning_rate: float
    tokens: int
    seconds: float  # the sum of the following
    data_seconds: float  # spent waiting for data: the slowest rank's, for all wait for it
    forward_backward_seconds: float  # until the host knows the loss and the norm
    update_seconds: float  # what a GPU still does then counts to the next step


def train_step(run: Run, phase: PhasePlan, batches: ReadAhead[list[MicroBatch]]) -> StepResult | Skip:
    """Update the weights with the batch that the plan gives to `run.step`, or pass over it and say why.

    Sets `run.stop` if a rank got a signal that asks to stop.
    """
    run.step += 1
    return run.skips.at(run.step - 1) or _update(run, phase, run.step - 1, batches)


def _update(run: Run, phase: PhasePlan, step: int, batches: ReadAhead[list[MicroBatch]]) -> StepResult | Skip:
    began = time.perf_counter()
    doing("reading samples", step)
    batch = batches.take(step)
    waited = time.perf_counter() - began
    doing("forward and backward", step)
    _forget_gradients(run)
    losses = _forward_backward(run, batch, forward_only=False)
    known = agree(losses, squared_norm(run.model.optimizer), waited)
    computed = time.perf_counter()
    doing("update", step)
    run.stop = known.stop
    if not known.is_finite:
        return run.skips.new(step, step + 1, f"not finite: loss {known.loss:g}, gradient norm {known.gradient_norm:g}")
    rate = learning_rate(phase.learning_rate, step - phase.first_step, phase.steps)
    set_learning_rate(run.model.optimizer, rate, run.config.optimizer.weight_decay)
    update(run.model.optimizer, known.tokens, known.gradient_norm, run.config.optimizer.clip)
    doing("after the update", step)
    ended = time.perf_counter()
    tokens = phase.global_batch * phase.sequence_length
    seconds = (ended - began, known.waited, computed - began - known.waited, ended - computed)
    return StepResult(step + 1, phase.name, known.loss, known.gradient_norm, rate, tokens, *seconds)


def _forget_gradients(run: Run) -> None:
    for chunk in run.model.chunks:
        chunk.zero_grad_buffer()
    run.model.optimizer.zero_grad()


@torch.no_grad()
def held_out_loss(run: Run, samples: Samples) -> float:
    """Mean loss over this rank's `samples` and those of all other data-parallel ranks."""
    batches = list(micro_batches(samples, run.config.parallel.micro_batch, run.config.packing.document_mask))
    for chunk in run.model.chunks:
        chunk.eval()
    total = _forward_backward(run, batches, forward_only=True)
    for chunk in run.model.chunks:
        chunk.train()
    dist.all_reduce(total)
    return (total[0] / total[1]).item()


def _forward_backward(run: Run, batches: list[MicroBatch], forward_only: bool) -> torch.Tensor:
    """Sum of losses and count of tokens [2], of this rank's part of the global batch; gradients are of that sum."""
    iterators = [iter(batches) for _ in run.model.chunks]
    reports = get_forward_backward_func()(
        forward_step_func=_forward,
        data_iterator=iterators if len(iterators) > 1 else iterators[0],
        model=run.model.chunks if len(iterators) > 1 else run.model.chunks[0],
        num_microbatches=len(batches),
        seq_length=batches[0].tokens.shape[1],
        micro_batch_size=batches[0].tokens.shape[0],
        forward_only=forward_only,
    )
    if counts_loss():
        return torch.stack(reports).double().sum(0)
    return torch.zeros(2, dtype=torch.float64, device=platform.device())


def _forward(batches: Iterator[MicroBatch], model: Any) -> tuple[torch.Tensor, Any]:
    batch = on_device(next(batches))
    output = model(batch.tokens, batch.positions, None, labels=batch.labels, packed_seq_params=batch.packed)
    return output, partial(_loss, batch.loss_mask)


def _loss(mask: torch.Tensor, losses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    total, count = (losses.float() * mask).sum(), mask.sum()
    return total, count.int(), torch.stack([total.detach(), count])
