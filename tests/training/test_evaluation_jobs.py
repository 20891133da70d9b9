"""Which checkpoints have been evaluated, and that no evaluation holds up a training."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.shipped import shipped
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


@pytest.mark.parametrize("own", [True, False])
def test_its_job_script_is_that_of_the_folder_or_the_one_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    """Slurm runs a copy of the script: where its neighbours lie, a variable tells."""
    config = load_config(tiny_overrides(tmp_path / "run", "launch=slurm", "evaluation.sbatch=[-pgpu]"))
    sbatch = tmp_path / "programs" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text('#!/bin/bash\necho "$SNOWCODER_SLURM" "$@"\n')
    sbatch.chmod(0o755)
    project = tmp_path / "project"
    (project / "slurm").mkdir(parents=True)
    if own:
        (project / "slurm" / "evaluate.sh").touch()
    monkeypatch.setenv("PATH", f"{sbatch.parent}:/usr/bin:/bin")
    monkeypatch.chdir(project)
    _start(config, 10)
    (event,) = read_events(tmp_path / "run")
    assert event.kind == "evaluating"
    folder, *words = (tmp_path / "run" / "evaluated" / "step-00000010.log").read_text().split()
    assert folder == str(project / "slurm" if own else shipped("slurm"))
    assert words[2:] == ["-pgpu", f"{folder}/evaluate.sh", f"{tmp_path}/run/resolved.yaml", "10"]
