"""Nodes and ranks that fail: noticed in a stated time, named, and gone on without them."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from snowcoder.training.events import read_events
from tests.system.jobs import SIZE, events_of, long_run, nodes_of, rank_of, wait_for_event, wait_for_step
from tests.system.slurm.cluster import Cluster
from tests.tiny import curve

pytestmark = pytest.mark.slurm
Curve = list[tuple[float, float]]
SILENT_SECONDS = 12  # as in jobs.LONG
# Within what docs/operations.md promises by the clock of the launcher; it may be slow to write it down here.
DEAD, SILENT, WRITTEN = 15, SILENT_SECONDS + 5, SILENT_SECONDS + 15


def silence(text: str, beginning: str) -> int:
    """Seconds since rank 1 was heard of, as the message has them that begins so."""
    told = re.match(rf"{beginning}rank 1 on node2, last heard of (\d+) s ago in step \d+: ", text)
    assert told, text
    return int(told[1])


@pytest.mark.slow
def test_a_killed_rank_is_named_and_the_job_goes_on(
    tmp_path: Path, workspace: Path, slurm: Cluster, undisturbed: Curve
) -> None:
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *long_run(tmp_path, workspace))
    wait_for_step(15, tmp_path, slurm, job)
    rank_of(1, tmp_path).kill()
    failed = wait_for_event("failed", tmp_path, WRITTEN)
    assert silence(failed.text, ".*") <= DEAD
    ended = slurm.wait(job, seconds=240)
    assert ended.code == 0, ended.log
    assert "rank 0: lost contact with another rank in step" in ended.log
    assert curve(tmp_path) == undisturbed


def stop_a_rank(slurm: Cluster, folder: Path) -> None:
    rank_of(1, folder).send_signal(signal.SIGSTOP)


def cut_its_link(slurm: Cluster, folder: Path) -> None:
    slurm.cut("node2")


def power_it_off(slurm: Cluster, folder: Path) -> None:
    slurm.power_off("node2")


@pytest.mark.slow
@pytest.mark.parametrize("fault", [stop_a_rank, cut_its_link, power_it_off], ids=lambda fault: fault.__name__)
def test_a_silent_node_is_named_and_the_job_goes_on_without_it(
    tmp_path: Path, workspace: Path, slurm: Cluster, undisturbed: Curve, fault: Callable[[Cluster, Path], None]
) -> None:
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *long_run(tmp_path, workspace))
    wait_for_step(15, tmp_path, slurm, job)
    fault(slurm, tmp_path)
    try:
        failed = wait_for_event("failed", tmp_path, WRITTEN)
        assert silence(failed.text, "no sign of life: ") <= SILENT
        how = "without node2" if fault is stop_a_rank else "by Slurm, which takes node2 for dead after 10 s"
        assert how in wait_for_event("requeued", tmp_path, 15).text
        ended = slurm.wait(job, seconds=240)
    finally:
        if fault is power_it_off:
            slurm.power_on("node2")
        if fault is cut_its_link:
            slurm.mend("node2")
    assert ended.code == 0, ended.log
    assert nodes_of(job, slurm) == ["node1", "node3"]
    assert curve(tmp_path) == undisturbed


@pytest.mark.slow
def test_a_node_that_was_avoided_is_taken_again_before_there_are_too_few(
    tmp_path: Path, workspace: Path, slurm: Cluster, undisturbed: Curve
) -> None:
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *long_run(tmp_path, workspace))
    wait_for_step(15, tmp_path, slurm, job)
    stop_a_rank(slurm, tmp_path)
    assert "without node2" in wait_for_event("requeued", tmp_path, WRITTEN).text
    deadline = time.monotonic() + 120
    while len(events_of(tmp_path, "started")) < 2:
        assert time.monotonic() < deadline, slurm.log_of(job)
        time.sleep(0.1)
    slurm.power_off("node3")
    try:
        ended = slurm.wait(job, seconds=240)
    finally:
        slurm.power_on("node3")
    assert ended.code == 0, ended.log
    assert nodes_of(job, slurm) == ["node1", "node2"]
    assert curve(tmp_path) == undisturbed


@pytest.mark.slow
def test_the_job_survives_the_node_that_its_script_runs_on(
    tmp_path: Path, workspace: Path, slurm: Cluster, undisturbed: Curve
) -> None:
    """Nobody of the run is left to act: Slurm notices, and requeues the job."""
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *long_run(tmp_path, workspace))
    wait_for_step(15, tmp_path, slurm, job)
    slurm.power_off("node1")
    try:
        ended = slurm.wait(job, seconds=240)
    finally:
        slurm.power_on("node1")
    assert ended.code == 0, ended.log
    assert nodes_of(job, slurm) == ["node2", "node3"]
    assert curve(tmp_path) == undisturbed


@pytest.mark.slow
def test_after_too_many_faults_without_progress_the_job_gives_up(
    tmp_path: Path, workspace: Path, slurm: Cluster
) -> None:
    rare = ["checkpoint.every_steps=1000", "launch.retries=1"]
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *long_run(tmp_path, workspace, *rare))
    for times in (1, 2):
        deadline = time.monotonic() + 120
        while len(events_of(tmp_path, "started")) < times:
            assert time.monotonic() < deadline, slurm.log_of(job)
            time.sleep(0.1)
        rank_of(0, tmp_path).kill()
    ended = slurm.wait(job, seconds=60)
    assert ended.code == 1, ended.log
    assert "2 faults since the last checkpoint (launch.retries=1): not tried again" in ended.log
    assert [event.kind for event in read_events(tmp_path)][-1] == "gave-up"


@pytest.mark.slow
def test_the_node_check_names_a_slow_link_and_the_job_goes_on_without_it(
    tmp_path: Path, workspace: Path, slurm: Cluster
) -> None:
    """Three ranks, so that it shows which of them is slow; no node is left to go on with but these three."""
    three = ["parallel=single", "parallel.data=3", "phases.phase1.tokens=3072", "phases.phase1.global_batch=6"]
    more = ["phases.phase2.global_batch=6", "phases.phase3.global_batch=6", "launch.outlier=10", "launch.retries=0"]
    overrides = long_run(tmp_path, workspace, *three, *more)
    slurm.slow_down("node2", "20mbit")
    try:
        ended = slurm.wait(slurm.submit(*SIZE, "--nodes=3", "slurm/phase1.sh", *overrides), seconds=240)
    finally:
        slurm.slow_down("node2", "")
    assert ended.code == 1, ended.log
    assert re.search(r"node check: rank 1 on node2: link takes [\d.]+ ms, [\d.]+ times the median", ended.log)
    assert "rank 0 on node1: link" not in ended.log
    again = slurm.wait(slurm.submit(*SIZE, "--nodes=3", "slurm/phase1.sh", *overrides), seconds=240)
    assert again.code == 0, again.log
