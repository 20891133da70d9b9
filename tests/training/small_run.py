"""A training of a few seconds for tests of its checkpoints: one phase, a save every few steps."""

from __future__ import annotations

from pathlib import Path

from snowcoder.config.compose import load_config
from snowcoder.training.events import Event, read_events
from snowcoder.training.train import launch
from tests.tiny import LAYOUTS, curve, snowcoder, tiny_overrides


class SmallRun:
    """A run folder over the session's index."""

    def __init__(self, folder: Path, workspace: Path, layout: str, steps: int, *more: str) -> None:
        self.folder = folder
        self.checkpoints = folder / "train" / "checkpoints"
        self.overrides = tiny_overrides(
            folder,
            f"tokenizer.dir={workspace}/tokenizer",
            f"index.dir={workspace}/index",
            "index.held_out=0.1",
            "phase=phase1",
            f"phases.phase1.tokens={steps * 4 * 64}",
            "phases.phase1.global_batch=4",
            "phases.phase1.learning_rate.warmup_steps=4",
            "phases.phase1.sources.raw.max_epochs=99",
            "phases.phase2.sources.raw.max_epochs=99",
            *(f"phases.{phase}.{key}" for phase in ("phase2", "phase3") for key in ("tokens=2048", "global_batch=8")),
            "phases.phase2.learning_rate.warmup_steps=2",
            *LAYOUTS[layout],
            *more,
        )

    def plan(self) -> SmallRun:
        snowcoder("plan", *self.overrides)
        return self

    def train(self, *more: str) -> str:
        return snowcoder("train", *self.overrides, *more).stdout

    def launch(self, task: str, *arguments: str) -> None:
        """Let the ranks do something else than train, or something besides."""
        launch(task, load_config(self.overrides), "resolved.yaml", *arguments)

    @property
    def curve(self) -> list[tuple[float, float]]:
        return curve(self.folder)

    def events(self, kind: str) -> list[Event]:
        return [event for event in read_events(self.folder) if event.kind == kind]
