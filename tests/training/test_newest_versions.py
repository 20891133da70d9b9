"""Checkpoints and losses across versions: these, of Python 3.11, and the newest, which `make test-newest` installs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from snowcoder.training.checkpoints.completion_record import newest_valid, read_record
from tests.training.small_run import SmallRun

NEWEST = Path(__file__).parents[2] / ".venv-newest" / "bin" / "python"
STEPS = 8
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NEWEST.exists(), reason="without .venv-newest, which `make test-newest` makes"),
]


def train(python: Path | str, run: SmallRun, *more: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "snowcoder", "train", *run.overrides, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)


def trained(python: Path | str, run: SmallRun, *more: str) -> SmallRun:
    done = train(python, run, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def differences(one: SmallRun, other: SmallRun) -> tuple[float, float]:
    """Of losses, and of gradient norms by their size."""
    pairs = list(zip(one.curve, other.curve, strict=True))
    assert pairs
    losses = max(abs(a - b) for (a, _), (b, _) in pairs)
    return losses, max(abs(a - b) / b for (_, a), (_, b) in pairs)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> SmallRun:
    """Two phases, on one rank, by the Python of this test."""
    run = SmallRun(tmp_path_factory.mktemp("here"), workspace, "tp1", STEPS).plan()
    return trained(sys.executable, run, "phase=[phase1,phase2]")


@pytest.mark.parametrize("layout", ["tp1", "tp2sp", "dp2overlap", "pp2vpp2"])
def test_losses_are_the_same(tmp_path: Path, workspace: Path, layout: str) -> None:
    """In one layout: what layouts differ by among themselves depends on the processor."""
    theirs, ours = (SmallRun(tmp_path / name, workspace, layout, STEPS).plan() for name in ("newest", "here"))
    trained(NEWEST, theirs, "phase=[phase1,phase2]")
    losses, norms = differences(theirs, trained(sys.executable, ours, "phase=[phase1,phase2]"))
    assert losses < 5e-6
    assert norms < 1e-5


@pytest.mark.parametrize("layout", ["tp1", "dp2overlap"])
def test_the_newest_goes_on_from_a_checkpoint_of_here(
    tmp_path: Path, workspace: Path, here: SmallRun, layout: str
) -> None:
    run = SmallRun(tmp_path, workspace, layout, STEPS).plan()
    trained(sys.executable, run)
    done = train(NEWEST, run, "phase=[phase1,phase2]")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"resumed from {run.checkpoints}/step-{STEPS:08d}" in done.stdout
    losses, norms = differences(run, here)
    assert losses < 5e-6
    assert norms < 1e-5


def test_a_checkpoint_of_the_newest_is_kept_here_and_told(tmp_path: Path, workspace: Path) -> None:
    run = SmallRun(tmp_path, workspace, "tp1", STEPS).plan()
    trained(NEWEST, run)
    done = train(sys.executable, run, "phase=[phase1,phase2]")
    assert done.returncode == 1
    checkpoint, passed_over = newest_valid(run.checkpoints)
    assert checkpoint is not None
    assert passed_over == []
    wrote = read_record(checkpoint).written_by
    newer = f"it was written by a newer version, torch {wrote['torch']} and megatron-core {wrote['megatron-core']}"
    assert f"{checkpoint} is not loaded: {newer}" in done.stderr
    assert "Keep it" in done.stderr
    assert "remove" not in done.stderr
