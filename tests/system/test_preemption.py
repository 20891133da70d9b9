"""Jobs that are told to stop: they save at a step boundary, go back to the queue, and lose nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from snowcoder.training.checkpoints.completion_record import all_steps, complete_steps
from tests.system.jobs import SIZE, STEPS, events_of, long_run, wait_for_event, wait_for_step
from tests.system.slurm.cluster import Cluster
from tests.tiny import curve

pytestmark = pytest.mark.slurm
Curve = list[tuple[float, float]]


@pytest.mark.slow
def test_the_warning_before_the_time_limit_saves_and_requeues(
    tmp_path: Path, workspace: Path, slurm: Cluster, undisturbed: Curve
) -> None:
    """The signal of --signal=B:USR1@300, sent by hand; and once more, while the ranks save."""
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *long_run(tmp_path, workspace))
    wait_for_step(15, tmp_path, slurm, job)
    checkpoints = tmp_path / "train" / "checkpoints"
    before = all_steps(checkpoints)
    slurm.call("scancel", "--signal=USR1", "--batch", job)
    deadline = time.monotonic() + 30
    while all_steps(checkpoints) == before:
        assert time.monotonic() < deadline, slurm.log_of(job)
        time.sleep(0.01)
    slurm.call("scancel", "--signal=USR1", "--batch", job)
    stopped = wait_for_event("stopped", tmp_path, 30)
    assert stopped.step in complete_steps(checkpoints)
    ended = slurm.wait(job, seconds=240)
    assert ended.code == 0, ended.log
    assert curve(tmp_path) == undisturbed
    assert "stopped before the end of its phases" in events_of(tmp_path, "requeued")[0].text
    assert f"(step {stopped.step}, phase1)" in ended.log
    assert "Restarts=1" in slurm.call("scontrol", "show", "job", job)


@pytest.mark.slow
def test_the_time_limit_itself(tmp_path: Path, workspace: Path, slurm: Cluster, undisturbed: Curve) -> None:
    """Slurm sends the signal up to a minute early: the run gets on by some steps at a time."""
    short = ["--time=1", "--signal=B:USR1@30"]
    job = slurm.submit(*SIZE, *short, "slurm/phase1.sh", *long_run(tmp_path, workspace))
    ended = slurm.wait(job, seconds=600)
    assert ended.code == 0, ended.log
    assert curve(tmp_path) == undisturbed
    assert events_of(tmp_path, "stopped")


@pytest.mark.slow
def test_scontrol_requeue_loses_nothing(tmp_path: Path, workspace: Path, slurm: Cluster, undisturbed: Curve) -> None:
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *long_run(tmp_path, workspace))
    wait_for_step(15, tmp_path, slurm, job)
    slurm.call("scontrol", "requeue", job)
    ended = slurm.wait(job, seconds=240)
    assert ended.code == 0, ended.log
    assert curve(tmp_path) == undisturbed
    assert [event.step for event in events_of(tmp_path, "ended")] == [STEPS]


@pytest.mark.slow
def test_scancel_saves_and_stays_away_until_it_is_submitted_again(
    tmp_path: Path, workspace: Path, slurm: Cluster, undisturbed: Curve
) -> None:
    overrides = long_run(tmp_path, workspace)
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *overrides)
    wait_for_step(15, tmp_path, slurm, job)
    slurm.call("scancel", job)
    slurm.wait(job, seconds=60)
    assert "JobState=CANCELLED" in slurm.call("scontrol", "show", "job", job)
    stopped = wait_for_event("stopped", tmp_path, 30)
    assert complete_steps(tmp_path / "train" / "checkpoints")[-1] == stopped.step
    assert not events_of(tmp_path, "requeued")

    again = slurm.wait(slurm.submit(*SIZE, "slurm/phase1.sh", *overrides), seconds=240)
    assert again.code == 0, again.log
    assert f"(step {stopped.step}, phase1)" in again.log
    assert curve(tmp_path) == undisturbed
