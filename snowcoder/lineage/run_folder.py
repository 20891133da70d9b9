"""Where a run's files lie below its `run.dir`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snowcoder.config.schema import Config


@dataclass(frozen=True)
class RunFolder:
    path: Path

    @classmethod
    def of(cls, config: Config) -> RunFolder:
        return cls(Path(config.run.dir))

    @property
    def resolved(self) -> Path:
        """The frozen config of the last training."""
        return self.path / "resolved.yaml"

    @property
    def metrics(self) -> Path:
        """A line for each step, validation and skip."""
        return self.path / "metrics.jsonl"

    @property
    def events(self) -> Path:
        return self.path / "events.log"

    @property
    def index(self) -> Path:
        """The first of the run's pages."""
        return self.path / "index.html"

    @property
    def evaluated(self) -> Path:
        """Evaluations of checkpoints while the training went on, a folder a step."""
        return self.path / "evaluated"

    @property
    def train(self) -> Path:
        return self.path / "train"

    @property
    def lock(self) -> Path:
        """Held by a training; it says what the training rests on."""
        return self.train / ".lock"

    @property
    def skips(self) -> Path:
        """The ledger of steps that are passed over."""
        return self.train / "skips.json"

    @property
    def checkpoints(self) -> Path:
        return self.train / "checkpoints"
