"""Has checkpoints evaluated while the training goes on, each in a job of its own: a process here, or a Slurm job."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.export.layout import one_replica
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.completion import complete_steps
from snowcoder.training.events import Events, read_events
from snowcoder.training.launch import RESOLVED
from snowcoder.training.run import Run
from snowcoder.training.step import StepResult


class Evaluation(Callback):
    """Of `evaluation.every_steps` those steps that have a checkpoint. The training does not wait for any."""

    def __init__(self, run: Run, checkpoints: Path) -> None:
        self.folder = checkpoints
        self.begun = {event.step for event in read_events(Path(run.config.run.dir)) if event.kind == "evaluating"}

    def on_step(self, run: Run, result: StepResult) -> None:
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


def _start(config: Config, step: int) -> None:
    """A job that fails is a warning in its own output; the training has nothing to do with it."""
    log = Path(config.run.dir) / "evaluated" / f"step-{step:08d}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    job = [str(Path(config.run.dir) / RESOLVED), str(step)]
    with log.open("ab") as output:
        if config.launch.kind == "slurm":
            gpus = one_replica(config).parallel.world_size
            options = [f"--gpus-per-node={gpus}", f"--output={log}", *config.evaluation.sbatch]
            words = ["sbatch", *options, "slurm/evaluate.sh", *job]
            failed = subprocess.run(words, stdout=output, stderr=output, check=False).returncode
        else:
            words = ["nice", sys.executable, "-m", "snowcoder.evaluation.job", *job]
            subprocess.Popen(words, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
            failed = 0
    kind, text = (
        ("warning", f"could not be submitted, see {log}") if failed else ("evaluating", f"a job of its own, {log}")
    )
    Events(config).add(kind, f"evaluation: {text}", step)
