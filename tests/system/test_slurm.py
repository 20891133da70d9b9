"""The job scripts of slurm/ on a real two-node Slurm: phases chain, failures end a job and say why."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from snowcoder.config.compose import read_config
from tests.system.slurm.cluster import Cluster
from tests.tiny import curve, snowcoder, steps_of, tiny_overrides

pytestmark = pytest.mark.slurm
# One core of each node instead of the headers' eight GPUs of sixteen nodes.
SIZE = ["--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=0", "--cpus-per-task=1"]
FEW_STEPS = [
    "parallel=tp2",
    "optimizer.lr=3e-4",
    "phases.phase1.tokens=3072",
    "phases.phase1.global_batch=8",
    "phases.phase1.learning_rate.warmup_steps=2",
    "phases.phase2.tokens=2048",
    "phases.phase2.global_batch=8",
    "phases.phase3.tokens=2048",
    "phases.phase3.global_batch=8",
]


@pytest.fixture(autouse=True)
def _this_environment(monkeypatch: pytest.MonkeyPatch, slurm: Cluster) -> None:
    """Jobs use the environment that runs the tests."""
    monkeypatch.setitem(slurm.environment, "SNOWCODER_VENV", sys.prefix)


def planned(folder: Path, workspace: Path, *more: str) -> list[str]:
    """The overrides of a run in `folder` over the session's index; its plan is made."""
    shared = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index", "index.held_out=0.1"]
    overrides = tiny_overrides(folder, *shared, *FEW_STEPS, *more)
    snowcoder("plan", *overrides)
    return overrides


def test_phases_by_sbatch_give_the_losses_of_a_local_run(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    overrides = planned(tmp_path / "slurm", workspace)
    jobs = [slurm.submit(*SIZE, f"slurm/{phase}.sh", *overrides) for phase in ("phase1", "phase2")]
    first, second = (slurm.wait(job, seconds=120) for job in jobs)
    assert first.code == 0, first.log
    assert second.code == 0, second.log
    assert "resumed from" in second.log
    assert read_config(tmp_path / "slurm" / "resolved.yaml").optimizer.lr == 3e-4

    here = planned(tmp_path / "here", workspace)
    snowcoder("train", *here, "phase=[phase1,phase2]")
    assert curve(tmp_path / "slurm") == curve(tmp_path / "here")
    assert len(curve(tmp_path / "here")) == 10


def test_phase2_without_phase1_is_refused(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    job = slurm.submit(*SIZE, "slurm/phase2.sh", *planned(tmp_path, workspace))
    ended = slurm.wait(job, seconds=120)
    assert "finish `phase=phase1` first" in ended.log
    assert ended.code == 2, ended.log


def test_a_job_of_the_wrong_size_is_refused(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *planned(tmp_path, workspace, "parallel.data=2"))
    ended = slurm.wait(job, seconds=120)
    assert "the job has 2 tasks, but tensor x pipeline x context x data of `parallel` is 4" in ended.log
    assert ended.code == 2, ended.log


def test_a_killed_rank_ends_the_job(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    repeat = [f"phases.{phase}.sources.raw.max_epochs=1000" for phase in ("phase1", "phase2")]
    endless = planned(tmp_path, workspace, "phases.phase1.tokens=30e6", *repeat)
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *endless)
    deadline = time.monotonic() + 120
    while not steps_of(tmp_path):
        assert time.monotonic() < deadline, slurm.log_of(job)
        time.sleep(0.1)
    os.kill(process_of_rank(1, tmp_path), signal.SIGKILL)
    ended = slurm.wait(job, seconds=30)
    assert ended.code == 1, ended.log
    assert "node2: task 1: Killed" in ended.log
    assert f"a rank of job {job} was killed by signal 9" in ended.log


def process_of_rank(rank: int, folder: Path) -> int:
    """The worker process of the run in `folder` that Slurm numbered `rank`."""
    workers = [
        process
        for process in psutil.process_iter()
        if "snowcoder.training.worker" in (words := process.cmdline()) and f"{folder}/resolved.yaml" in words
    ]
    (pid,) = [process.pid for process in workers if process.environ().get("SLURM_PROCID") == str(rank)]
    return pid
