"""The job scripts of slurm/ on a real Slurm, over two nodes: mistakes are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.jobs import SIZE, long_run
from tests.system.slurm.cluster import Cluster

pytestmark = pytest.mark.slurm


def test_phase2_without_phase1_is_refused(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    job = slurm.submit(*SIZE, "slurm/phase2.sh", *long_run(tmp_path, workspace))
    ended = slurm.wait(job, seconds=120)
    assert "finish `phase=phase1` first" in ended.log
    assert ended.code == 2, ended.log


def test_a_job_of_the_wrong_size_is_refused(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *long_run(tmp_path, workspace, "parallel.data=2"))
    ended = slurm.wait(job, seconds=120)
    assert "the job has 2 tasks, but tensor x pipeline x context x data of `parallel` is 4" in ended.log
    assert ended.code == 2, ended.log
