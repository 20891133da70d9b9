"""What a run has written about itself: frozen config, plan, metrics, events, completion records.

A run may be in any state: never started, without a step, killed in the middle of a line, its plan moved away. What is
not there or cannot be read is left out, and `notes` says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snowcoder.config.frozen import read_config
from snowcoder.config.schema import Config
from snowcoder.errors import SnowcoderError, UserError
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.mixture.phase_plan import Plan, load_plan
from snowcoder.model.throughput import Speed, read_metrics, recent_speed
from snowcoder.storage.lock import is_dead, is_held, name_holder, read_holder
from snowcoder.training.checkpoints.checkpoint_record import CheckpointRecord
from snowcoder.training.checkpoints.completion_record import RECORD, complete_steps, read_record, step_folder
from snowcoder.training.events import Event, read_events


@dataclass(frozen=True)
class Span:
    """A phase as a range of steps."""

    name: str
    first_step: int
    steps: int
    tokens_per_step: int

    @property
    def end(self) -> int:
        return self.first_step + self.steps


@dataclass(frozen=True)
class Records:
    folder: Path
    config: Config | None
    plan: Plan | None
    spans: list[Span]  # of all phases, from the plan, else from the config
    steps: list[dict[str, Any]]  # one a finished step, ascending
    validations: list[dict[str, Any]]
    skipped: list[dict[str, Any]]  # one a step that was passed over
    events: list[Event]
    windows: list[dict[str, Any]]  # steps passed over by decision: `first`, `last` (exclusive), `why`
    checkpoint: CheckpointRecord | None  # the newest completion record that can be read
    checkpoint_time: datetime | None
    metrics_time: datetime | None  # of the last record
    notes: list[str] = field(default_factory=list)

    @property
    def last(self) -> dict[str, Any] | None:
        return self.steps[-1] if self.steps else None

    @property
    def speed(self) -> Speed | None:
        return recent_speed(self.steps)

    @property
    def total_steps(self) -> int | None:
        return self.spans[-1].end if self.spans else None

    @property
    def run_spans(self) -> list[Span]:
        """The phases that the run executes."""
        wanted = self.config.run.phases if self.config else []
        return [span for span in self.spans if not wanted or span.name in wanted]


def read_records(run: str) -> Records:
    """Read a run's folder. Raises `UserError` where no stage of a run has been."""
    folder = Path(run)
    if not any((folder / name).exists() for name in ("resolved.yaml", "events.log", "train", "plan", "index")):
        raise UserError(f"{folder} is not a run: it has no resolved.yaml, which `snowcoder train` writes")
    notes: list[str] = []
    config = _read_config(folder, notes)
    plan = _read_plan(folder, config, notes)
    metrics = read_metrics(RunFolder(folder).metrics)
    checkpoint, checkpoint_time = _read_checkpoint(RunFolder(folder).checkpoints, notes)
    _look_for_killed(RunFolder(folder).lock, notes)
    times = [record["time"] for record in metrics if "time" in record]
    return Records(
        folder=folder,
        config=config,
        plan=plan,
        spans=_spans(plan, config),
        steps=[record for record in metrics if record["kind"] == "step"],
        validations=[record for record in metrics if record["kind"] == "validation"],
        skipped=[record for record in metrics if record["kind"] == "skipped"],
        events=_read_events(folder, notes),
        windows=_windows(RunFolder(folder).skips, checkpoint, notes),
        checkpoint=checkpoint,
        checkpoint_time=checkpoint_time,
        metrics_time=datetime.fromtimestamp(times[-1], UTC) if times else None,
        notes=notes,
    )


def _look_for_killed(lock: Path, notes: list[str]) -> None:
    """A training that ends by itself removes its lock."""
    holder = read_holder(lock)
    if is_dead(holder) and not is_held(lock):
        notes.append(f"the training by {name_holder(holder)} was killed: the same command goes on from its checkpoint")


def _read_config(folder: Path, notes: list[str]) -> Config | None:
    try:
        return read_config(RunFolder(folder).resolved)
    except SnowcoderError as error:
        notes.append(_first_line(error))
        return None


def _read_plan(folder: Path, config: Config | None, notes: list[str]) -> Plan | None:
    """The plan of the config; of the run's folder if that was moved."""
    places = [Path(config.plan.dir)] if config else []
    problem = ""
    for place in dict.fromkeys([*places, folder / "plan"]):
        try:
            return load_plan(place)
        except (SnowcoderError, OSError, ValueError) as error:
            problem = problem or _first_line(error)
    notes.append(f"no plan: {problem}")
    return None


def _spans(plan: Plan | None, config: Config | None) -> list[Span]:
    if plan is not None:
        return [Span(p.name, p.first_step, p.steps, p.global_batch * p.sequence_length) for p in plan.phases]
    spans: list[Span] = []
    for name, phase in (config.phases if config else {}).items():
        tokens = phase.global_batch * phase.sequence_length
        spans.append(Span(name, spans[-1].end if spans else 0, round(phase.tokens / tokens), tokens))
    return spans


def _read_checkpoint(folder: Path, notes: list[str]) -> tuple[CheckpointRecord | None, datetime | None]:
    for step in reversed(complete_steps(folder)):
        path = step_folder(folder, step)
        try:
            changed = (path / RECORD).stat().st_mtime
            return read_record(path), datetime.fromtimestamp(changed, UTC)
        except (OSError, ValueError):  # being removed, or damaged
            notes.append(f"{path / RECORD} cannot be read")
    return None, None


def _read_events(folder: Path, notes: list[str]) -> list[Event]:
    try:
        return read_events(folder)
    except (OSError, ValueError):  # bytes or a time that are none
        notes.append(f"{RunFolder(folder).events} cannot be read")
        return []


def _windows(ledger: Path, checkpoint: CheckpointRecord | None, notes: list[str]) -> list[dict[str, Any]]:
    """What the run decided to pass over: its ledger, and what the checkpoint knows of it."""
    known = [skip.model_dump() for skip in checkpoint.skips] if checkpoint else []
    try:
        known += json.loads(ledger.read_text())
    except FileNotFoundError:
        pass
    except ValueError:
        notes.append(f"{ledger} cannot be read")
    unique = {(skip["first"], skip["last"]): {key: skip[key] for key in ("first", "last", "why")} for skip in known}
    return [unique[key] for key in sorted(unique)]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
