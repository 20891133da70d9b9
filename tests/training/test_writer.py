"""The process that writes a rank's part of checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

from tests.training.small_run import SmallRun


def test_one_writer_writes_all_saves_what_was_when_they_began(workspace: Path, tmp_path: Path) -> None:
    run = SmallRun(tmp_path / "run", workspace, "dp2", 8).plan()
    run.launch("tests.training.writers:write_and_change", str(tmp_path / "rank"))
    for rank in range(2):
        told = json.loads((tmp_path / f"rank{rank}.json").read_text())
        assert told["values"] == [1.0, 2.0, 8.0]  # not what the tensors were changed to meanwhile
        assert told["bytes"] < 3 * told["needed"]  # of each view its own part, not the memory that it lies in
        first, second, after_a_kill = told["writers"]
        assert first == second != after_a_kill
        assert told["problems"] == [None, None, "its writer was killed by signal 9", None]
