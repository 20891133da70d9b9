"""Checkpoints are evaluated while the training goes on, in jobs of their own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from snowcoder.evaluation.evaluate import RESULTS
from snowcoder.sandbox.sandbox import Sandbox
from tests.training.small_run import SmallRun


@pytest.mark.slow
def test_due_checkpoints_are_exported_and_evaluated_beside_the_training(
    tmp_path: Path, workspace: Path, sandbox: Sandbox
) -> None:
    chosen = ["suites=[humaneval]", "first=1", "generation.new_tokens=4", "bits.kib=1", "every_steps=8"]
    every = ["checkpoint.every_steps=4", "checkpoint.keep=9"]
    run = SmallRun(tmp_path, workspace, "tp1", 16, *every, *(f"evaluation.{each}" for each in chosen)).plan()
    run.train()
    deadline = time.monotonic() + 240
    while len(run.events("evaluated")) < 2:
        assert not run.events("warning"), run.events("warning")
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert sorted(event.step or 0 for event in run.events("evaluating")) == [8, 16]
    assert sorted(event.step or 0 for event in run.events("evaluated")) == [8, 16]
    text = run.events("evaluated")[0].text
    assert "HumanEval 0.0" in text
    assert "Python " in text
    found = [json.loads((tmp_path / f"evaluated/step-{step:08d}/evaluation" / RESULTS).read_text()) for step in (8, 16)]
    bits = [each["bits_per_byte"][0]["bits_per_byte"] for each in found]
    assert bits[0] != bits[1]
