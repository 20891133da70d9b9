"""What makes a step's item another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snowcoder.lineage.rows import RowCounts
from snowcoder.stages import steps
from snowcoder.stages.steps import Step, WorkItem


class Copied(Step):
    def __init__(self, folder: Path, key: int = 1) -> None:
        super().__init__(folder)
        self.key = key

    def decided_by(self) -> dict[str, Any]:
        return {"key": self.key}

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        (folder / f"{item.name}.txt").write_text(str(self.key))
        return RowCounts(0, 0), {}


def test_a_task_is_another_by_version_key_name_or_input_but_not_by_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = Copied(tmp_path).work_item("a", "input", {"path": "/here"})
    assert item.made_from == Copied(tmp_path / "there").work_item("a", "input", {"path": "/there"}, 7).made_from
    others = [
        Copied(tmp_path, 2).work_item("a", "input"),
        Copied(tmp_path).work_item("b", "input"),
        Copied(tmp_path).work_item("a", "other input"),
    ]
    monkeypatch.setattr(steps, "__version__", "0")
    others.append(Copied(tmp_path).work_item("a", "input"))
    assert len({each.made_from for each in (item, *others)}) == 5


def test_what_another_key_made_is_made_again(tmp_path: Path) -> None:
    engine = steps.EngineConfig(kind="local", workers=1, address="", nodes=0)
    for key in (1, 2, 2):
        step = Copied(tmp_path, key)
        steps.run_step(step, "copy", [step.work_item("a", "input")], engine)
        assert (tmp_path / "a.txt").read_text() == str(key)
