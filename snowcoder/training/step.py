"""One update, and one evaluation, over all parallel ranks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.pipeline_parallel import get_forward_backward_func

from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.mixture.samples import Samples
from snowcoder.model import platform
from snowcoder.training.batches import MicroBatch, micro_batches, slots_of_rank
from snowcoder.training.optimizer import set_learning_rate, update
from snowcoder.training.rank.process_groups import counts_loss
from snowcoder.training.rank.pulse import doing
from snowcoder.training.recovery.skips import Skip
from snowcoder.training.schedule import learning_rate
from snowcoder.training.state import Run


class StepResult(NamedTuple):
    """The same numbers on every rank."""

    step: int  # finished updates, this one included
    phase: str
    loss: float  # mean over the tokens of the global batch, nats
    gradient_norm: float  # before clipping
    learning_rate: float
    tokens: int
    seconds: float
    data_seconds: float  # of these, spent waiting for data: the slowest rank's, for all wait for it


def train_step(run: Run, phase: PhasePlan) -> StepResult | Skip:
    """Update the weights with the batch that the plan gives to `run.step`, or pass over it and say why."""
    run.step += 1
    return run.skips.at(run.step - 1) or _update(run, phase, run.step - 1)


def _update(run: Run, phase: PhasePlan, step: int) -> StepResult | Skip:
    started = time.perf_counter()
    rate = learning_rate(phase.learning_rate, step - phase.first_step, phase.steps)
    set_learning_rate(run.model.optimizer, rate, run.config.optimizer.weight_decay)
    for chunk in run.model.chunks:
        chunk.zero_grad_buffer()
    run.model.optimizer.zero_grad()
    doing("reading samples", step)
    began = time.perf_counter()
    samples = run.reader.batch(step, rank_slots(run, phase.global_batch))
    waited = time.perf_counter() - began
    doing("forward and backward", step)
    loss = _forward_backward(run, samples, forward_only=False)
    doing("update", step)
    updated, norm = update(run.model.optimizer, loss, run.config.optimizer.clip)
    doing("after the update", step)
    if not updated:
        return run.skips.new(step, step + 1, f"not finite: loss {loss:g}, gradient norm {norm:g}")
    tokens = phase.global_batch * phase.sequence_length
    waited = _slowest(waited)
    return StepResult(step + 1, phase.name, loss, norm, rate, tokens, time.perf_counter() - started, waited)


@torch.no_grad()
def held_out_loss(run: Run, samples: Samples) -> float:
    """Mean loss over this rank's `samples` and those of all other data-parallel ranks."""
    for chunk in run.model.chunks:
        chunk.eval()
    loss = _forward_backward(run, samples, forward_only=True)
    for chunk in run.model.chunks:
        chunk.train()
    return loss


def rank_slots(run: Run, global_batch: int) -> list[int]:
    return slots_of_rank(
        global_batch,
        run.config.parallel.micro_batch,
        parallel_state.get_data_parallel_rank(),
        parallel_state.get_data_parallel_world_size(),
    )


def _forward_backward(run: Run, samples: Samples, forward_only: bool) -> float:
    size, packed = run.config.parallel.micro_batch, run.config.packing.document_mask
    batches = list(micro_batches(samples, size, packed))
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
    return _global_mean(reports)


def _forward(batches: Iterator[MicroBatch], model: Any) -> tuple[torch.Tensor, Any]:
    batch = next(batches)
    output = model(batch.tokens, batch.positions, None, labels=batch.labels, packed_seq_params=batch.packed)
    return output, partial(_loss, batch.loss_mask)


def _loss(mask: torch.Tensor, losses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    total, count = (losses.float() * mask).sum(), mask.sum()
    return total, count.int(), torch.stack([total.detach(), count])


def _global_mean(reports: list[torch.Tensor]) -> float:
    total = torch.zeros(2, dtype=torch.float64, device=platform.device())
    if counts_loss():
        total += torch.stack(reports).double().sum(0)
    dist.all_reduce(total)
    return (total[0] / total[1]).item()


def _slowest(seconds: float) -> float:
    most = torch.tensor(seconds, dtype=torch.float64, device=platform.device())
    dist.all_reduce(most, dist.ReduceOp.MAX)
    return most.item()
