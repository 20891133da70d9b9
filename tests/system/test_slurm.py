"""The job scripts of slurm/ on a real Slurm, over two nodes: mistakes are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.jobs import SIZE
from tests.system.slurm.cluster import Cluster
from tests.tiny import snowcoder, tiny_overrides

pytestmark = pytest.mark.slurm
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


def planned(folder: Path, workspace: Path, *more: str) -> list[str]:
    """The overrides of a run in `folder` over the session's index; its plan is made."""
    shared = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index", "index.held_out=0.1"]
    overrides = tiny_overrides(folder, *shared, *FEW_STEPS, *more)
    snowcoder("plan", *overrides)
    return overrides


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
