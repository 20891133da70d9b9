"""What a rank does when it is told to train."""

from __future__ import annotations

from pathlib import Path

import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.errors import Stopped
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.model.platform import slow_dtype
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.callbacks.checkpointing import Checkpointing
from snowcoder.training.callbacks.evaluation import Evaluation
from snowcoder.training.callbacks.garbage import GarbageCollection
from snowcoder.training.callbacks.guard import Guard
from snowcoder.training.callbacks.metrics import Metrics
from snowcoder.training.callbacks.profiler import Profiler
from snowcoder.training.callbacks.validation import Validation
from snowcoder.training.checkpoints.write import Checkpoints
from snowcoder.training.events import Events, last_turn
from snowcoder.training.loop import run_phases as train_loop
from snowcoder.training.rank.node_check import check_nodes
from snowcoder.training.rank.pulse import doing
from snowcoder.training.recovery.resume import resume
from snowcoder.training.state import Run, build_run


def train_on_rank(config: Config) -> None:
    """Resume or start, then execute the run's phases. Raises `Stopped` if a signal ended it before that."""
    if config.launch.node_check:
        check_nodes(config)
    checkpoints = Checkpoints(
        RunFolder.of(config).checkpoints, config
    )  # its writer is forked before the model is there
    if slow := slow_dtype(config.precision.dtype):
        _tell(f"snowcoder: warning: {slow}")
    doing("building the model")
    run = build_run(config)
    doing("looking for a checkpoint")
    _tell(resume(run, checkpoints.folder))
    if run.step >= run.last_step:
        _tell(f"{run.phases[-1].name} has ended at step {run.last_step}: nothing to do")
        checkpoints.finish_uploads()
        _record_end(run)
        return
    doing("opening trackers")
    train_loop(run, callbacks_of(run, checkpoints))
    done = run.step == run.last_step
    how = f"{run.phases[-1].name} is done" if done else f"by {run.stop}, after saving at step {run.step}"
    if dist.get_rank() == 0:
        Events(config).add("ended" if done else "stopped", how, run.step)
    if not done:
        raise Stopped(f"stopped {how}")


def _record_end(run: Run) -> None:
    """Of a run that ended before this start; unless that is what the events say already."""
    if dist.get_rank() == 0:
        turn = last_turn(Path(run.config.run.dir))
        if turn is None or turn.kind != "ended":
            Events(run.config).add("ended", f"{run.phases[-1].name} was done before", run.step)


def callbacks_of(run: Run, checkpoints: Checkpoints) -> list[Callback]:
    """In the order in which they are called: a bad step reaches no other, and a record is written before its save.

    At the end they are called the other way round: what is left is saved before trackers, which may be slow, close.
    """
    metrics = Metrics(run)
    steps = run.config.logging.profile_steps
    profiler: list[Callback] = [Profiler(*steps)] if steps else []
    saving = [Evaluation(run, checkpoints.folder), Checkpointing(checkpoints)]
    return [Guard(run), metrics, Validation(metrics), *profiler, *saving, GarbageCollection()]


def _tell(text: str) -> None:
    if dist.get_rank() == 0:
        print(text, flush=True)
