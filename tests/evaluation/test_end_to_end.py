"""A real pretrained model through import, continued training, export and evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowcoder.demo.language_model import is_installed
from snowcoder.sandbox.sandbox import Sandbox
from tests.evaluation.smollm2 import main


@pytest.mark.slow
def test_smollm2_solves_some_of_humaneval_before_and_after(tmp_path: Path, sandbox: Sandbox) -> None:
    if not is_installed():
        pytest.skip("no SmolLM2: run `make env`")
    untouched, trained = main(tmp_path, steps=4, first=30)
    assert [each["model"] for each in (untouched, trained)] == ["untouched", "trained"]
    assert min(untouched["pass_at"]["1"]["value"], trained["pass_at"]["1"]["value"]) > 0
