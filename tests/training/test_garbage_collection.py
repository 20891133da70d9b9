"""Python's garbage is collected on all ranks at the same steps, and by nobody in between."""

from __future__ import annotations

import json
from pathlib import Path

from tests.training.small_run import SmallRun


def test_all_ranks_collect_at_the_same_steps(workspace: Path, tmp_path: Path) -> None:
    run = SmallRun(tmp_path / "run", workspace, "dp2", 8).plan()
    run.launch("tests.training.ranks:steps_of_collections", str(tmp_path / "rank"))
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2)]
    # As the training begins and after every third of its 8 steps. From the end on, Python collects again.
    assert [[step for step in rank["steps"] if step < 8] for rank in ranks] == [[0, 3, 6], [0, 3, 6]]
    assert all(rank["enabled"] and rank["frozen"] == 0 for rank in ranks)
