"""Which checkpoints have been evaluated, and that no evaluation holds up a training."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.training.callbacks.evaluation import _begun, _start
from snowcoder.training.events import Event, read_events
from tests.tiny import tiny_overrides


def event(kind: str, step: int) -> Event:
    return Event(datetime(2026, 1, 1, tzinfo=UTC), kind, step, "here", "")


def test_what_is_trained_again_is_evaluated_again() -> None:
    events = [event("evaluating", step) for step in (10, 20, 30)]
    assert _begun(events) == {10, 20, 30}
    assert _begun([*events, event("rolled-back", 20)]) == {10, 20}
    assert _begun([*events, event("rolled-back", 20), event("evaluating", 30)]) == {10, 20, 30}
    assert _begun([*events, event("passed-over", 30)]) == {10, 20}


def test_without_sbatch_or_room_a_training_is_warned_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(tiny_overrides(tmp_path, "launch=slurm"))
    monkeypatch.setenv("PATH", str(tmp_path))
    _start(config, 10)
    (tmp_path / "evaluated" / "step-00000020.log").mkdir()  # what cannot be written
    _start(config, 20)
    found = read_events(tmp_path)
    assert [(each.kind, each.step) for each in found] == [("warning", 10), ("warning", 20)]
    assert "No such file or directory: 'sbatch'" in found[0].text
