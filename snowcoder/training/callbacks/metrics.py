"""metrics.jsonl, the trackers and the console's line for each step. Rank 0 writes."""

from __future__ import annotations

import json
import time
from collections import deque
from pathlib import Path
from typing import Any, TextIO

import torch.distributed as dist

from snowcoder import readable
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.model import platform
from snowcoder.model.throughput import Flops, flops_of
from snowcoder.storage.atomic import write_text
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.events import Events
from snowcoder.training.recovery.skips import Skip
from snowcoder.training.state import Run
from snowcoder.training.step import StepResult
from snowcoder.training.trackers.open import close_trackers, open_trackers
from snowcoder.training.trackers.packages import check_packages
from snowcoder.training.trackers.sender import Sender

_SECONDS = ("seconds", "data_seconds", "forward_backward_seconds", "update_seconds", "rest_seconds")
_SCALARS = ("loss", "gradient_norm", "learning_rate", "tokens_per_second", *_SECONDS, *Flops._fields)


class Metrics(Callback):
    def __init__(self, run: Run) -> None:
        check_packages(run.config)
        self.path = RunFolder.of(run.config).metrics
        self.every = run.config.logging.every_steps
        self.recent: deque[tuple[float, int]] = deque(maxlen=20)
        self.ended = time.perf_counter()  # the step before this one
        self.file: TextIO | None = None
        self.trackers: list[Sender] = []

    def on_start(self, run: Run) -> None:
        if dist.get_rank() == 0:
            keep_until(self.path, run.step)
            self.file = self.path.open("a", buffering=1)
            self.trackers = open_trackers(run.config, run.folder, run.step, Events(run.config))
        self.ended = time.perf_counter()

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        self.recent.append((result.seconds, result.tokens))
        if self.file is None:
            return
        rate = result.tokens / result.seconds
        speed = {"tokens_per_second": round(rate, 1), **_flops(run, phase, rate)._asdict()}
        now = time.perf_counter()
        rest = {"rest_seconds": now - self.ended - result.seconds}
        self.ended = now
        self.write({"kind": "step", **result._asdict(), **rest, **speed, "time": time.time()})
        if run.step % self.every == 0 or run.step == run.last_step:
            print(self._line(run, phase, result), flush=True)

    def on_skip(self, run: Run, phase: PhasePlan, skip: Skip) -> None:
        self.write({"kind": "skipped", "step": run.step, "phase": phase.name, "why": skip.why, "time": time.time()})

    def on_rollback(self, run: Run) -> None:
        self.rewind(run.step)

    def on_end(self, run: Run) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None
        close_trackers(self.trackers)

    def rewind(self, step: int) -> None:
        """The run went back to `step`: what was recorded after it will come again (rank 0; elsewhere nothing)."""
        if self.file is None:
            return
        self.file.close()
        keep_until(self.path, step)
        self.file = self.path.open("a", buffering=1)
        for tracker in self.trackers:
            tracker.rewind(step)

    def write(self, record: dict[str, Any]) -> None:
        """One record to metrics.jsonl and the trackers (rank 0; elsewhere nothing)."""
        if self.file is None:
            return
        self.file.write(json.dumps(record) + "\n")
        if record["kind"] == "skipped":
            print(f"{record['phase']} step {record['step']}  passed over: {record['why']}", flush=True)
        if record["kind"] == "validation":
            losses = ", ".join(f"{name} {loss:.4f}" for name, loss in record["losses"].items())
            print(f"{record['phase']} step {record['step']}  held-out loss: {losses or 'no held-out data'}", flush=True)
        if scalars := _scalars(record):
            for tracker in self.trackers:
                tracker.log(scalars, record["step"])

    def _line(self, run: Run, phase: PhasePlan, result: StepResult) -> str:
        seconds, tokens = sum(s for s, _ in self.recent), sum(t for _, t in self.recent)
        in_phase = tokens_left(run, phase.last_step)
        in_run = tokens_left(run, run.last_step)
        return (
            f"{result.phase} step {run.step}/{run.last_step}  loss {result.loss:.4f}  norm {result.gradient_norm:.2f}  "
            f"lr {result.learning_rate:.2e}  {readable.rate(tokens / seconds, 'tokens')}  "
            f"left: phase {readable.duration(in_phase * seconds / tokens)}, "
            f"run {readable.duration(in_run * seconds / tokens)}"
        )


def tokens_left(run: Run, until: int) -> int:
    """Tokens between the run's step and step `until`."""
    spans = [
        (max(0, min(until, phase.last_step) - max(run.step, phase.first_step)), phase) for phase in run.plan.phases
    ]
    return sum(steps * phase.global_batch * phase.sequence_length for steps, phase in spans)


def keep_until(path: Path, step: int) -> None:
    """Drop the records of steps that were lost with a killed run and will be done again."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
    write_text(path, "".join(line + "\n" for line in kept))


def _step_of(line: str) -> float:
    try:
        found: float = json.loads(line)["step"]
        return found
    except ValueError:
        return float("inf")  # cut short by a kill


def _flops(run: Run, phase: PhasePlan, rate: float) -> Flops:
    """Of a rank, at `rate` tokens/s of all."""
    peak = None if platform.ON_CPU else run.config.precision.peak_tflops
    return flops_of(run.config.model, phase.sequence_length, rate / run.config.parallel.world_size, peak)


def _scalars(record: dict[str, Any]) -> dict[str, float]:
    if record["kind"] == "validation":
        return {f"held_out/{name}": loss for name, loss in record["losses"].items()}
    if record["kind"] == "step":
        return {name: record[name] for name in _SCALARS if record[name] is not None}
    return {}
