"""Whether a run may start where its newest checkpoint is. Needs no torch, so that `snowcoder doctor` can ask too."""

from __future__ import annotations

from typing import Any

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.mixture.plan import PhasePlan, Plan


def phases_to_run(config: Config, plan: Plan) -> list[PhasePlan]:
    """The phases that `run.phases` names; all if it is empty."""
    wanted = config.run.phases
    return [phase for phase in plan.phases if not wanted or phase.name in wanted]


def check_start(config: Config, plan: Plan, record: dict[str, Any] | None) -> None:
    """Refuse a checkpoint of another model or past, and a phase whose predecessor has not ended."""
    step = record["step"] if record else 0
    if record:
        _check_same_model(config, record)
        _check_same_past(plan, record)
    first = phases_to_run(config, plan)[0]
    if step < first.first_step:
        earlier = plan.phase_at(step).name
        raise UserError(
            f"{first.name} starts at step {first.first_step}, where the phase before it ends, but the newest valid "
            f"checkpoint in {config.run.dir} is at step {step} (in {earlier}): finish `phase={earlier}` first, "
            "or run the phases together"
        )


def _check_same_model(config: Config, record: dict[str, Any]) -> None:
    ours = config.model.model_dump()
    different = [
        f"model.{key}: {record['model'].get(key)} there, {ours[key]} here"
        for key in ours
        if record["model"].get(key) != ours[key]
    ]
    if config.parallel.distributed_optimizer != record["parallel"]["distributed_optimizer"]:
        different.append("parallel.distributed_optimizer: its state cannot be converted")
    if config.precision.dtype != record["precision"]["dtype"]:
        different.append(f"precision.dtype: {record['precision']['dtype']} there, {config.precision.dtype} here")
    if different:
        raise UserError(
            f"the checkpoint in {config.run.dir} is of another model: {'; '.join(different)}. Use another run.dir"
        )


def _check_same_past(plan: Plan, record: dict[str, Any]) -> None:
    ours = {phase.name: phase.digest for phase in plan.phases}
    for name, digest in record["phases"].items():
        if ours.get(name) != digest:
            raise UserError(
                f"the checkpoint at step {record['step']} was trained by another plan of {name}: budgets, sources, "
                "seed, batch or learning rate of a phase that has begun cannot change. Restore them, or change run.dir"
            )
