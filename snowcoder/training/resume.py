"""Where a run starts: the newest valid checkpoint, checked against the plan; else the initial weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch.distributed as dist

from snowcoder.errors import UserError
from snowcoder.mixture.plan import Plan
from snowcoder.training.checkpoint import load_checkpoint, load_weights
from snowcoder.training.completion import newest_valid, read_record, step_of
from snowcoder.training.decisions import adopt_skips, read_skips
from snowcoder.training.events import Events
from snowcoder.training.optimizer import reset_state
from snowcoder.training.parallel import on_rank_0
from snowcoder.training.run import Run


def resume(run: Run, checkpoints: Path) -> str:
    """Load the newest valid checkpoint into `run`. Returns what was done, for the log."""
    read_skips(run, checkpoints)
    found, passed_over = _agree(checkpoints)
    record = read_record(found) if found else None
    check_start(run, record)
    adopt_skips(run, record)
    how = "starting from initial weights"
    if found and record:
        go_to(run, found)
        how = f"resumed from {found} (step {run.step}, {record['phase']})"
    if dist.get_rank() == 0:
        _record_start(Events(run.config), passed_over, how, run.step)
    return "; ".join([*(f"passed over {text}" for text in passed_over), how])


def _record_start(events: Events, passed_over: list[str], how: str, step: int) -> None:
    for text in passed_over:
        events.add("passed-over", text, step_of(text.split(":")[0]))
    events.add("started", how, step)


def go_to(run: Run, checkpoint: Path) -> None:
    """Put `run` to where a valid checkpoint is."""
    record = read_record(checkpoint)
    run.step, run.imported, run.losses = record["step"], record.get("imported"), record.get("recent_losses", [])
    if run.step == 0:  # imported weights, without optimizer state
        load_weights(run.model.bare_chunks, checkpoint)
        run.model.optimizer.reload_model_params()
        reset_state(run.model.optimizer)
    else:
        load_checkpoint(run.model, checkpoint)


def check_start(run: Run, record: dict[str, Any] | None) -> None:
    """Refuse a checkpoint of another model or past, and a phase whose predecessor has not ended."""
    step = record["step"] if record else 0
    if record:
        _check_same_model(run, record)
        _check_same_past(run.plan, record)
    first = run.phases[0]
    if step < first.first_step:
        earlier = run.plan.phase_at(step).name
        raise UserError(
            f"{first.name} starts at step {first.first_step}, where the phase before it ends, but the newest valid "
            f"checkpoint in {run.folder} is at step {step} (in {earlier}): finish `phase={earlier}` first, "
            "or run the phases together"
        )


def _check_same_model(run: Run, record: dict[str, Any]) -> None:
    ours = run.config.model.model_dump()
    different = [
        f"model.{key}: {record['model'].get(key)} there, {ours[key]} here"
        for key in ours
        if record["model"].get(key) != ours[key]
    ]
    if run.config.parallel.distributed_optimizer != record["parallel"]["distributed_optimizer"]:
        different.append("parallel.distributed_optimizer: its state cannot be converted")
    if run.config.precision.dtype != record["precision"]["dtype"]:
        different.append(f"precision.dtype: {record['precision']['dtype']} there, {run.config.precision.dtype} here")
    if different:
        raise UserError(
            f"the checkpoint in {run.folder} is of another model: {'; '.join(different)}. Use another run.dir"
        )


def _check_same_past(plan: Plan, record: dict[str, Any]) -> None:
    ours = {phase.name: phase.digest for phase in plan.phases}
    for name, digest in record["phases"].items():
        if ours.get(name) != digest:
            raise UserError(
                f"the checkpoint at step {record['step']} was trained by another plan of {name}: budgets, sources, "
                "seed, batch or learning rate of a phase that has begun cannot change. Restore them, or change run.dir"
            )


def _agree(checkpoints: Path) -> tuple[Path | None, list[str]]:
    """Rank 0 looks (digesting every file once), all ranks follow."""
    return on_rank_0(lambda: newest_valid(checkpoints))
