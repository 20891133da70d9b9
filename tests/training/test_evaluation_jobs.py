"""Which checkpoints have been evaluated, and that no evaluation holds up a training."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from snowcoder.training.callbacks.evaluation import _begun, _submit
from snowcoder.training.events import Event


def event(kind: str, step: int) -> Event:
    return Event(datetime(2026, 1, 1, tzinfo=UTC), kind, step, "here", "")


def test_what_is_trained_again_is_evaluated_again() -> None:
    events = [event("evaluating", step) for step in (10, 20, 30)]
    assert _begun(events) == {10, 20, 30}
    assert _begun([*events, event("rolled-back", 20)]) == {10, 20}
    assert _begun([*events, event("rolled-back", 20), event("evaluating", 30)]) == {10, 20, 30}
    assert _begun([*events, event("passed-over", 30)]) == {10, 20}


def test_a_machine_without_sbatch_is_a_job_that_failed(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        assert _submit(["/nowhere/sbatch"], log)
    assert "/nowhere/sbatch" in (tmp_path / "log").read_text()
