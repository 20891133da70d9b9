"""Going back to the last good checkpoint, past which a window of samples is skipped."""

from __future__ import annotations

from pathlib import Path

import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.errors import OperationError
from snowcoder.training.checkpoints.completion_record import all_steps, find_damage, step_folder
from snowcoder.training.checkpoints.restore import restore_before
from snowcoder.training.events import Events
from snowcoder.training.rank.process_groups import on_rank_0
from snowcoder.training.recovery.resume import go_to
from snowcoder.training.state import Run, start_anew

_MOST = 3  # rollbacks to one checkpoint: more are no accident of the data


class RollBack(Exception):
    """The decision to go back, and to pass over the steps from `first` to before `last`. All ranks raise it."""

    def __init__(self, first: int, last: int, why: str) -> None:
        super().__init__(why)
        self.first, self.last, self.why = first, last, why


def roll_back(run: Run, decision: RollBack) -> None:
    """Put `run` back to its newest valid checkpoint that saw none of the window's samples."""
    checkpoints = run.folder / "checkpoints"
    back_to = on_rank_0(lambda: _newest_before(run.config, checkpoints, decision.first))
    _check_patience(run, back_to, decision)
    run.skips.new(decision.first, decision.last, decision.why, back_to)
    if dist.get_rank() == 0:
        run.skips.write_new()  # before anything else: from here on every resume decides the same
        Events(run.config).add("rolled-back", _tell(decision, back_to), back_to)
    dist.barrier()
    run.model.gather()
    if back_to == 0 and not step_folder(checkpoints, 0).exists():
        start_anew(run)
    else:
        go_to(run, step_folder(checkpoints, back_to))


def _newest_before(config: Config, checkpoints: Path, step: int) -> int:
    """The step of the newest valid checkpoint at or before `step`, here or in the bucket; 0 for the initial weights."""
    restore_before(config, step)
    steps = [found for found in all_steps(checkpoints) if found <= step]
    return next((found for found in reversed(steps) if find_damage(step_folder(checkpoints, found)) is None), 0)


def _check_patience(run: Run, back_to: int, decision: RollBack) -> None:
    times = sum(skip.back_to == back_to for skip in run.skips.all)
    if times >= _MOST:
        raise OperationError(
            f"{decision.why}. The run went back to step {back_to} {times} times already, and still does not train: "
            f"look at the samples and the learning rate. {run.skips.path} says what was skipped"
        )


def _tell(decision: RollBack, back_to: int) -> str:
    return f"{decision.why}; went back to step {back_to}; steps {decision.first + 1} to {decision.last} are skipped"
