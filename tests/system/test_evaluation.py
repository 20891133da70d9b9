"""Checkpoints of a training under Slurm are evaluated by Slurm jobs that it submits itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowcoder.evaluation.evaluate import RESULTS
from snowcoder.sandbox.sandbox import Sandbox
from tests.system.jobs import SIZE, events_of, long_run, wait_for_event
from tests.system.slurm.cluster import Cluster

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
CHOSEN = ["suites=[humaneval]", "first=1", "generation.new_tokens=4", "bits.kib=1", "every_steps=40"]
SMALL = "evaluation.sbatch=['--gpus-per-node=0','--cpus-per-task=1']"


def test_a_training_submits_the_evaluation_of_its_checkpoint(
    tmp_path: Path, workspace: Path, slurm: Cluster, sandbox: Sandbox
) -> None:
    overrides = long_run(tmp_path, workspace, "checkpoint.keep=9", *(f"evaluation.{each}" for each in CHOSEN), SMALL)
    job = slurm.submit(*SIZE, "slurm/phase1.sh", *overrides)
    ended = slurm.wait(job, seconds=240)
    assert ended.code == 0, ended.log
    evaluated = wait_for_event("evaluated", tmp_path, 240)
    assert evaluated.step == 40
    assert "HumanEval 0.0" in evaluated.text
    assert (tmp_path / "evaluated" / "step-00000040" / "evaluation" / RESULTS).exists()
    assert not events_of(tmp_path, "warning")
