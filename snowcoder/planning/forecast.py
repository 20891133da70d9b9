"""The plan as a person reads it before anything is allocated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.mixture.phase_plan import PhasePlan, Plan
from snowcoder.model.size import count_parameters, flops_per_token
from snowcoder.model.throughput import flops_of
from snowcoder.planning.disk import needs
from snowcoder.planning.memory import memory_of_rank
from snowcoder.planning.pace import find_pace


def describe_forecast(config: Config, plan: Plan, planned_sizes: set[str]) -> str:
    """Steps, tokens and epochs, memory, disk, FLOPs, GPU-hours and dates.

    `planned_sizes`: sources whose size is the config's word, for they are not indexed yet.
    """
    return "\n".join(
        [
            *_model(config),
            *_fim(plan),
            *(line for phase in plan.phases for line in _phase(phase, planned_sizes)),
            *_memory(config),
            *_disk(config, plan),
            *_time(config, plan),
        ]
    )


def _model(config: Config) -> Iterator[str]:
    parallel = config.parallel
    yield (
        f"model: {count_parameters(config.model).total:,} parameters on {parallel.world_size} rank(s): "
        f"tensor {parallel.tensor}, pipeline {parallel.pipeline}, context {parallel.context}, "
        f"data {parallel.data}"
    )


def _fim(plan: Plan) -> Iterator[str]:
    if plan.fim:
        yield (
            f"fill-in-the-middle: {plan.fim.rate:.0%} of the files, {plan.fim.spm:.0%} of them as suffix, prefix, "
            f"middle; {plan.fim.reserved} tokens reserved in each file are counted in its source"
        )


def _phase(phase: PhasePlan, planned_sizes: set[str]) -> Iterator[str]:
    rate = phase.learning_rate
    yield ""
    yield (f"{phase.name}: {phase.steps:,} steps from step {phase.first_step:,}, {phase.tokens:,} tokens")
    yield (
        f"  {phase.global_batch} sequences of {phase.sequence_length} a step; "
        f"learning rate 0 -> {rate.peak:.3g} over {rate.warmup_steps} steps, "
        f"{rate.shape} to {rate.peak * rate.final_ratio:.3g}; "
        f"optimizer state: {phase.optimizer_state}"
    )
    yield f"  {'source':<20}{'tokens':>18}{'share':>9}{'epoch of':>18}{'epochs':>9}{'so far':>9}"
    for source in phase.sources:
        tokens = source.draws * phase.sequence_length
        share, epochs = tokens / phase.tokens, tokens / source.epoch_tokens
        so_far = source.first_token / source.epoch_tokens + epochs
        note = "  (size as planned, not indexed yet)" if source.name in planned_sizes else ""
        yield (
            f"  {source.name:<20}{tokens:>18,}{share:>9.2%}{source.epoch_tokens:>18,}{epochs:>9.2f}{so_far:>9.2f}{note}"
        )


def _memory(config: Config) -> Iterator[str]:
    memory = memory_of_rank(config)
    parts = ", ".join(f"{name} {readable.size(size)}" for name, size in memory._asdict().items())
    yield ""
    yield f"memory of a rank, estimated: {readable.size(memory.total)} ({parts})"


def _disk(config: Config, plan: Plan) -> Iterator[str]:
    found = needs(config, [phase.name for phase in plan.phases])
    yield ""
    yield f"disk, estimated: {readable.size(sum(need.bytes or 0 for need in found))}"
    for need in found:
        yield f"  {'?' if need.bytes is None else readable.size(need.bytes):>9} for {need.what}, in {need.folder}"


def _time(config: Config, plan: Plan) -> Iterator[str]:
    pace = find_pace(config, plan)
    moment = _start(config.plan.start)
    yield ""
    yield f"time: {pace.basis}"
    if pace.rate:
        since = f" from step {pace.step:,} on" if pace.step else ""
        length = plan.phase_at(pace.step).sequence_length
        flops = flops_of(config.model, length, pace.rate, pace.peak)
        yield f"  {readable.rate(pace.rate, 'tokens')} a rank on {pace.ranks} rank(s): {flops}"
        yield f"  starting {f'{moment:%Y-%m-%d %H:%M %Z}'.rstrip()}{since}"
    hours = "GPU-hours" if pace.peak else "rank-hours"
    yield f"  {'phase':<20}{'GFLOP/token':>17} {'(causal)':>9}{'FLOP':>11}{'(causal)':>10}{hours:>12}  ends"
    for phase in plan.phases:
        full, causal = (flops_per_token(config.model, phase.sequence_length, causal) for causal in (False, True))
        moment += pace.time_left(phase)
        yield (
            f"  {phase.name:<20}{full / 1e9:>17.4g} {causal / 1e9:>9.4g}"
            f"{full * phase.tokens:>11.2e}{causal * phase.tokens:>10.2e}"
            f"{pace.hours(phase):>12}  {pace.end(phase, moment)}"
        )


def _start(text: str | None) -> datetime:
    if text is None:
        return datetime.now().astimezone()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        example = "2026-12-01T09:00"
        raise UserError(f"plan.start={text!r}: not a date and time such as {example}") from None
