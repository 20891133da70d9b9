"""Where a run starts: the newest valid checkpoint, checked against the plan; else the initial weights."""

from __future__ import annotations

from pathlib import Path

import torch.distributed as dist

from snowcoder.training.checkpoints.completion_record import newest_valid, read_record, step_of
from snowcoder.training.checkpoints.write import load_checkpoint, load_weights
from snowcoder.training.events import Events
from snowcoder.training.may_start import check_start
from snowcoder.training.optimizer import reset_state
from snowcoder.training.rank.process_groups import on_rank_0
from snowcoder.training.rank.pulse import doing
from snowcoder.training.recovery.decisions import adopt_skips, read_skips
from snowcoder.training.state import Run


def resume(run: Run, checkpoints: Path) -> str:
    """Load the newest valid checkpoint into `run`. Returns what was done, for the log."""
    read_skips(run, checkpoints)
    found, passed_over = _agree(checkpoints)
    record = read_record(found) if found else None
    check_start(run.config, run.plan, record)
    adopt_skips(run, record)
    how = "starting from initial weights"
    if found and record:
        go_to(run, found)
        how = f"resumed from {found} (step {run.step}, {record.phase})"
    if dist.get_rank() == 0:
        _record_start(run, passed_over, how)
    return "; ".join([*(f"passed over {text}" for text in passed_over), how])


def _record_start(run: Run, passed_over: list[str], how: str) -> None:
    events = Events(run.config)
    for text in passed_over:
        events.add("passed-over", text, step_of(text.split(":")[0]))
    if run.step < run.last_step:
        events.add("started", how, run.step)


def go_to(run: Run, checkpoint: Path) -> None:
    """Put `run` to where a valid checkpoint is."""
    doing(f"loading {checkpoint.name}")
    record = read_record(checkpoint)
    run.step, run.imported, run.losses = record.step, record.imported, record.recent_losses
    if run.step == 0:  # imported weights, without optimizer state
        load_weights(run.model.bare_chunks, checkpoint)
        run.model.optimizer.reload_model_params()
        reset_state(run.model.optimizer)
    else:
        load_checkpoint(run.model, checkpoint)


def _agree(checkpoints: Path) -> tuple[Path | None, list[str]]:
    """Rank 0 looks (digesting every file once), all ranks follow."""
    return on_rank_0(lambda: newest_valid(checkpoints))
