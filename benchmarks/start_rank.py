"""What a rank does for start.py: train, and write down what the start and each save cost its main thread."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson

from snowcoder.config.schema import Config
from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.training.rank import pulse


class _Stages(dict[str, Any]):
    """Notes when the rank says that it is in something else: CPU seconds of its process, and the clock."""

    def __init__(self, now: dict[str, Any]) -> None:
        super().__init__(now)
        self.begun: list[tuple[str, float, float]] = []

    def update(self, doing: str, step: int | None) -> None:  # type: ignore[override]
        super().update(doing=doing, step=step)
        if not step:
            self.begun.append((doing, time.process_time(), time.time()))


stages = pulse._now = _Stages(pulse._now)

from snowcoder.training import train_on_rank  # noqa: E402 - `stages` is to see what it does
from snowcoder.training.callbacks.checkpointing import Checkpointing  # noqa: E402
from snowcoder.training.state import Run  # noqa: E402
from snowcoder.training.step import StepResult  # noqa: E402


class _Timed(Checkpointing):
    """[step, CPU seconds of the loop's thread since the step before, of them here, seconds of the clock here]."""

    def __init__(self, checkpoints: Any) -> None:
        super().__init__(checkpoints)
        self.steps: list[tuple[int, float, float, float]] = []
        self.last = 0.0

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        cpu, clock = time.thread_time(), time.perf_counter()
        super().on_step(run, phase, result)
        ended = time.thread_time()
        self.steps.append((run.step, ended - self.last, ended - cpu, time.perf_counter() - clock))
        self.last = ended

    def on_end(self, run: Run) -> None:
        super().on_end(run)
        found = {"stages": stages.begun, "steps": self.steps}
        Path(run.config.run.dir, f"costs-{_rank()}.json").write_bytes(orjson.dumps(found))


def _rank() -> int:
    import torch.distributed as dist

    return dist.get_rank()


def train(config: Config) -> None:
    train_on_rank.Checkpointing = _Timed  # type: ignore[attr-defined]
    train_on_rank.train_on_rank(config)
