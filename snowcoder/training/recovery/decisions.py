"""What a run does with the decisions of its ledger (skips.py): takes them up, and disowns checkpoints by them."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch.distributed as dist

from snowcoder.training.checkpoints.checkpoint_record import CheckpointRecord
from snowcoder.training.checkpoints.completion_record import RECORD, complete_steps, read_record, step_folder
from snowcoder.training.events import Events
from snowcoder.training.rank.process_groups import on_rank_0
from snowcoder.training.recovery.skips import Skip
from snowcoder.training.state import Run


def read_skips(run: Run, checkpoints: Path) -> None:
    """Take up the decisions of this run so far, and remove the checkpoints that they disown."""
    if dist.get_rank() == 0:
        run.skips.read()
        remove_disowned(run, checkpoints)
    for skip in on_rank_0(lambda: run.skips.all):
        run.skips.add(skip)


def adopt_skips(run: Run, record: CheckpointRecord | None) -> None:
    """Take up the decisions that a checkpoint knows of, which on a new machine are in no ledger yet."""
    for skip in record.skips if record else ():
        run.skips.add(skip)
    if dist.get_rank() == 0:
        run.skips.write_new()


def remove_disowned(run: Run, checkpoints: Path) -> None:
    """Remove checkpoints that were trained on samples which the ledger passes over. For rank 0."""
    for step in complete_steps(checkpoints):
        folder = step_folder(checkpoints, step)
        skip = _unknown_to(folder, [skip for skip in run.skips.all if skip.first < step])
        if skip:
            (folder / RECORD).unlink()
            shutil.rmtree(folder)
            steps = f"steps {skip.first + 1} to {skip.last}"
            Events(run.config).add("passed-over", f"{folder.name} knew {steps}, now skipped: {skip.why}", step)


def _unknown_to(folder: Path, skips: list[Skip]) -> Skip | None:
    """A decision that the checkpoint was made without."""
    try:
        known = read_record(folder).skips
    except (OSError, ValueError):
        return None  # damaged, so that it is passed over anyway
    return next((skip for skip in skips if skip not in known), None)
