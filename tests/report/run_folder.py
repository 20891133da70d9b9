"""Folders of runs in any state, written by the writers of a real training."""

from __future__ import annotations

from pathlib import Path

from snowcoder.config.compose import load_config, to_yaml
from snowcoder.mixture.phase_plan import SourceSize, make_plan
from snowcoder.storage.atomic import write_json, write_text
from snowcoder.training.callbacks.metrics import Metrics
from snowcoder.training.checkpoints.completion_record import RECORD, step_folder
from snowcoder.training.checkpoints.write import describe_checkpoint
from snowcoder.training.events import Events
from snowcoder.training.recovery.skips import Skips
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult
from tests.tiny import tiny_overrides

# Three phases of 14, 10 and 6 steps.
PHASES = [
    "phases.phase1.tokens=7168",
    "phases.phase1.global_batch=8",
    "phases.phase1.learning_rate.warmup_steps=4",
    "phases.phase2.tokens=5120",
    "phases.phase2.global_batch=8",
    "phases.phase3.tokens=3072",
    "phases.phase3.global_batch=8",
    "checkpoint.every_steps=5",
]


class RunFolder:
    """30 steps in three phases, of 512 tokens and half a second each, a tenth of one waiting for data; no plan."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.folder = folder
        config = load_config(tiny_overrides(folder, *PHASES, *overrides))
        write_text(folder / "resolved.yaml", to_yaml(config))
        self.events = Events(config)
        self.run = Run.__new__(Run)
        sizes = {name: SourceSize(10**6, "") for name in config.index.sources}
        self.run.config, self.run.plan, self.run.step = config, make_plan(config, sizes), 0
        self.run.imported, self.run.losses = None, []
        self.run.skips = Skips(self.run.folder / "skips.json", self.run.plan)
        self.metrics = Metrics(self.run)

    def steps(self, count: int, loss: float = 5.0) -> None:
        """As many finished steps."""
        if self.run.step == 0:
            self.metrics.on_start(self.run)
        for _ in range(count):
            self.run.step += 1
            phase = self.run.plan.phase_at(self.run.step - 1)
            result = StepResult(self.run.step, phase.name, loss, 1.25, 1e-3, 512, 0.5, 0.1)
            self.metrics.on_step(self.run, phase, result)

    def skip(self, first: int, last: int, why: str, back_to: int | None = None) -> None:
        """Pass over the steps from `first` to before `last`."""
        skip = self.run.skips.new(first, last, why, back_to)
        self.run.skips.write_new()
        for step in range(first, last):
            self.run.step = step + 1
            self.metrics.on_skip(self.run, self.run.plan.phase_at(step), skip)

    def checkpoint(self) -> Path:
        folder = step_folder(self.run.folder / "checkpoints", self.run.step)
        write_json(folder / RECORD, describe_checkpoint(self.run).completed([]))
        return folder
