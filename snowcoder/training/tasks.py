"""What a rank does when it is told to train."""

from __future__ import annotations

import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.callbacks.checkpointing import Checkpointing
from snowcoder.training.callbacks.metrics import Metrics
from snowcoder.training.callbacks.profiler import Profiler
from snowcoder.training.callbacks.validation import Validation
from snowcoder.training.checkpoint import Checkpoints
from snowcoder.training.loop import train as train_loop
from snowcoder.training.resume import resume
from snowcoder.training.run import Run, build_run


def train(config: Config) -> None:
    """Resume or start, then execute the run's phases."""
    run = build_run(config)
    checkpoints = Checkpoints(run.folder / "checkpoints", config.checkpoint)
    note = resume(run, checkpoints.folder)
    if dist.get_rank() == 0:
        print(note, flush=True)
    if run.step >= run.last_step:
        if dist.get_rank() == 0:
            print(f"{run.phases[-1].name} has ended at step {run.last_step}: nothing to do", flush=True)
        return
    train_loop(run, callbacks_of(run, checkpoints))


def callbacks_of(run: Run, checkpoints: Checkpoints) -> list[Callback]:
    """In the order in which they are called; checkpoints last, so that a record is written before its save."""
    metrics = Metrics(run)
    steps = run.config.logging.profile_steps
    profiler: list[Callback] = [Profiler(*steps)] if steps else []
    return [metrics, Validation(metrics), *profiler, Checkpointing(checkpoints)]
