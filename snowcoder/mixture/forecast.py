"""The plan as a person reads it, before anything is allocated: steps, tokens, epochs, memory, FLOPs, GPU-hours, dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.mixture.memory import memory_of_rank
from snowcoder.mixture.plan import PhasePlan, Plan
from snowcoder.model.size import flops_per_token, parameters


def describe(config: Config, plan: Plan, planned_sizes: set[str]) -> str:
    """`planned_sizes`: sources whose size is the config's word, for they are not indexed yet."""
    return "\n".join(
        [
            *_model(config),
            *(line for phase in plan.phases for line in _phase(phase, planned_sizes)),
            *_memory(config),
            *_time(config, plan),
        ]
    )


def _model(config: Config) -> Iterator[str]:
    parallel = config.parallel
    yield (
        f"model: {parameters(config.model).total:,} parameters on {parallel.world_size} rank(s): "
        f"tensor {parallel.tensor}, pipeline {parallel.pipeline}, context {parallel.context}, data {parallel.data}"
    )


def _phase(phase: PhasePlan, planned_sizes: set[str]) -> Iterator[str]:
    rate = phase.learning_rate
    yield ""
    yield f"{phase.name}: {phase.steps:,} steps from step {phase.first_step:,}, {phase.tokens:,} tokens"
    yield (
        f"  {phase.global_batch} sequences of {phase.sequence_length} a step; learning rate 0 -> {rate.peak:.3g} over "
        f"{rate.warmup_steps} steps, {rate.shape} to {rate.peak * rate.final_ratio:.3g}; optimizer state: {phase.optimizer_state}"
    )
    yield f"  {'source':<20}{'tokens':>18}{'share':>9}{'epoch of':>18}{'epochs':>9}{'so far':>9}"
    for source in phase.sources:
        tokens = source.draws * phase.sequence_length
        so_far = (source.first_token + tokens) / source.epoch_tokens
        note = "  (size as planned, not indexed yet)" if source.name in planned_sizes else ""
        yield (
            f"  {source.name:<20}{tokens:>18,}{tokens / phase.tokens:>9.2%}{source.epoch_tokens:>18,}"
            f"{tokens / source.epoch_tokens:>9.2f}{so_far:>9.2f}{note}"
        )


def _memory(config: Config) -> Iterator[str]:
    memory = memory_of_rank(config)
    parts = ", ".join(f"{name} {_gib(size)}" for name, size in memory._asdict().items())
    yield ""
    yield f"memory of a rank, estimated: {_gib(memory.total)} ({parts})"


def _time(config: Config, plan: Plan) -> Iterator[str]:
    rate, gpus = config.plan.tokens_per_second_per_gpu, config.parallel.world_size
    moment = _start(config.plan.start)
    yield f"at {rate:,.0f} tokens/s a rank on {gpus} rank(s), starting {moment:%Y-%m-%d %H:%M}:"
    for phase in plan.phases:
        seconds = phase.tokens / (rate * gpus)
        moment += timedelta(seconds=seconds)
        full = phase.tokens * flops_per_token(config.model, phase.sequence_length, causal=False)
        causal = phase.tokens * flops_per_token(config.model, phase.sequence_length, causal=True)
        yield (
            f"  {phase.name:<10}{seconds * gpus / 3600:>12,.1f} GPU-hours, ends {moment:%Y-%m-%d %H:%M}; "
            f"{full:.3g} FLOPs with full attention, {causal:.3g} counting its causal half"
        )


def _start(text: str | None) -> datetime:
    if text is None:
        return datetime.now()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"plan.start={text!r}: not an ISO date and time such as 2026-12-01T09:00") from None


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB"
