"""Whether a run may start where its newest checkpoint is. Needs no torch, so that `plan` and `doctor` can ask too."""

from __future__ import annotations

from collections.abc import Iterator

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.mixture.differences import plan_differences
from snowcoder.mixture.phase_plan import PhasePlan, Plan
from snowcoder.training.checkpoints.checkpoint_record import Basis, CheckpointRecord
from snowcoder.training.identity import begun_plan, recorded_inputs, tokenizer_digest


def phases_to_run(config: Config, plan: Plan) -> list[PhasePlan]:
    """The phases that `run.phases` names; all if it is empty."""
    wanted = config.run.phases
    return [phase for phase in plan.phases if not wanted or phase.name in wanted]


def check_start(config: Config, plan: Plan, record: CheckpointRecord | None) -> None:
    """Raise `UserError` with all of `find_obstacles`."""
    if obstacles := [*find_obstacles(config, plan, record)]:
        raise UserError("; ".join(obstacles))


def find_obstacles(config: Config, plan: Plan, record: CheckpointRecord | None) -> Iterator[str]:
    """A checkpoint of another model, tokenizer or past; a phase whose predecessor has not ended."""
    step = record.step if record else 0
    if record:
        yield from find_misfits(config, record)
        yield from other_past(config, plan, record, f"the checkpoint at step {step}")
    first = phases_to_run(config, plan)[0]
    if step < first.first_step:
        earlier = plan.phase_at(step).name
        yield (
            f"{first.name} starts at step {first.first_step}, where the phase before it ends, but the newest valid "
            f"checkpoint in {config.run.dir} is at step {step} (in {earlier}): finish `phase={earlier}` first, "
            "or run the phases together"
        )


def find_misfits(config: Config, record: CheckpointRecord) -> Iterator[str]:
    """A checkpoint of another model or tokenizer than the config's."""
    yield from _other_model(config, record)
    yield from _other_tokenizer(config, record)


def _other_model(config: Config, record: CheckpointRecord) -> Iterator[str]:
    ours, theirs = config.model.model_dump(), record.model
    different = [
        f"model.{key}: {theirs.get(key)} there, {ours[key]} here" for key in ours if theirs.get(key) != ours[key]
    ]
    if config.parallel.distributed_optimizer != record.distributed_optimizer:
        different.append("parallel.distributed_optimizer: its state cannot be converted")
    if config.precision.dtype != record.dtype:
        different.append(f"precision.dtype: {record.dtype} there, {config.precision.dtype} here")
    if different:
        yield f"the checkpoint in {config.run.dir} is of another model: {'; '.join(different)}. Use another run.dir"


def _other_tokenizer(config: Config, record: CheckpointRecord) -> Iterator[str]:
    theirs, ours = recorded_inputs(config, record).get("tokenizer"), tokenizer_digest(config)
    if theirs and ours and theirs != ours:
        yield (
            f"the checkpoint at step {record.step} was trained with another tokenizer ({theirs}) than that in "
            f"{config.tokenizer.dir} ({ours}): set tokenizer.dir to its own, or change run.dir"
        )


def other_past(config: Config, plan: Plan, basis: Basis, who: str) -> Iterator[str]:
    """What `who`, who rests on this, was trained by, if `plan` is another one in a phase that has begun."""
    ours = {phase.name: phase.digest for phase in plan.phases}
    others = [name for name, digest in basis.phases.items() if ours.get(name) != digest]
    if others:
        begun = begun_plan(config, basis)
        what = f" ({'; '.join(plan_differences(begun, plan))})" if begun else ""
        yield (
            f"{who} was trained by another plan of {', '.join(others)}{what}: budgets, sources, "
            "seed, batch or learning rate of a phase that has begun cannot change. Restore them, or change run.dir"
        )
