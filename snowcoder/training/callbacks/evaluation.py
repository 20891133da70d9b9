"""Has checkpoints evaluated while the training goes on, each in a job of its own: a process here, or a Slurm job."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import torch.distributed as dist

from snowcoder.config.layout import one_replica
from snowcoder.config.schema import Config
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.shipped import own_or_shipped
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.checkpoints.completion_record import complete_steps
from snowcoder.training.events import Event, Events, read_events
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult

_PATIENCE = 60.0  # seconds


class Evaluation(Callback):
    """Of `evaluation.every_steps` those steps that have a checkpoint. The training does not wait for any."""

    def __init__(self, run: Run, checkpoints: Path) -> None:
        self.folder = checkpoints
        self.begun = _begun(read_events(Path(run.config.run.dir)))

    def on_rollback(self, run: Run) -> None:
        self.begun = {step for step in self.begun if step <= run.step}

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        self._start_due(run)

    def on_end(self, run: Run) -> None:
        if not run.stop:  # a run that was stopped goes on, and finds them then
            self._start_due(run)

    def _start_due(self, run: Run) -> None:
        every = run.config.evaluation.every_steps
        if every and dist.get_rank() == 0:
            for step in complete_steps(self.folder):
                if step % every == 0 and step not in self.begun:
                    self.begun.add(step)
                    _start(run.config, step)


def _begun(events: Iterable[Event]) -> set[int]:
    """Steps whose evaluation has begun, but for those that were trained, or are to be trained, again."""
    found: set[int] = set()
    for event in events:
        step = event.step or 0
        if event.kind == "evaluating":
            found.add(step)
        elif event.kind == "rolled-back":
            found = {each for each in found if each <= step}
        elif event.kind == "passed-over":
            found.discard(step)
    return found


def _start(config: Config, step: int) -> None:
    """A job that fails is a warning in its own output; the training has nothing to do with it."""
    log = RunFolder.of(config).evaluated / f"step-{step:08d}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            _submit(config, step, output)
    except (OSError, subprocess.SubprocessError) as error:
        Events(config).add("warning", f"evaluation: could not be submitted ({error}), see {log}", step)
    else:
        Events(config).add("evaluating", f"evaluation: a job of its own, {log}", step)


def _submit(config: Config, step: int, log: BinaryIO) -> None:
    """Raises OSError or SubprocessError. A controller that does not answer must not hold up the training for long."""
    job = [str(RunFolder.of(config).resolved), str(step)]
    if config.launch.kind == "slurm":
        gpus = one_replica(config).parallel.world_size
        options = [f"--gpus-per-node={gpus}", f"--output={log.name}", *config.evaluation.sbatch]
        script = own_or_shipped("slurm/evaluate.sh").resolve()
        words = ["sbatch", *options, str(script), *job]
        environment = {**os.environ, "SNOWCODER_SLURM": str(script.parent)}  # Slurm runs a copy, which lies elsewhere
        subprocess.run(words, env=environment, stdout=log, stderr=log, check=True, timeout=_PATIENCE)
    else:
        words = ["nice", sys.executable, "-m", "snowcoder.evaluation.job", *job]
        subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
