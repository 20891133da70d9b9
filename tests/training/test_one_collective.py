"""What all ranks must know before an update costs one collective and one look at a device, in every layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.planning import plan
from tests.training.small_run import SmallRun

# The model's own, and the sums of gradients over ranks that hold the same parameters.
OF_THE_MODEL = ("cross_entropy.", "finalize_model_grads._allreduce_", "random.fork")


@pytest.mark.parametrize("layout", ["dp2", "tp2sp", pytest.param("pp2", marks=pytest.mark.slow)])
def test_a_step_has_one_collective_and_one_wait_besides_the_models(
    tmp_path: Path, workspace: Path, layout: str
) -> None:
    run = SmallRun(tmp_path / "run", workspace, layout, 5)
    plan.run(load_config(run.overrides))
    run.launch("tests.training.counts:train_counted", str(tmp_path / "counts"))
    ranks = sorted(tmp_path.glob("counts.*"))
    assert len(ranks) == 2
    for rank in ranks:
        *steps, _ = map(json.loads, rank.read_text().splitlines())  # the last one saves
        assert len(steps) == 4
        for step in steps:
            ours = {what: n for what, n in step.items() if not any(place in what for place in OF_THE_MODEL)}
            assert ours == {"all_gather_into_tensor in agreement.agree": 1, "waits in agreement.agree": 1}
