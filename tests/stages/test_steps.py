"""What makes a step's task another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snowcoder.lineage.rows import Rows
from snowcoder.stages import steps
from snowcoder.stages.steps import Step, Task


class Copied(Step):
    def __init__(self, folder: Path, key: int = 1) -> None:
        super().__init__(folder)
        self.key = key

    def decided_by(self) -> dict[str, Any]:
        return {"key": self.key}

    def make(self, task: Task, folder: Path) -> tuple[Rows, dict[str, Any]]:
        (folder / f"{task.name}.txt").write_text(str(self.key))
        return Rows(0, 0), {}


def test_a_task_is_another_by_version_key_name_or_input_but_not_by_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Copied(tmp_path).task("a", "input", {"path": "/here"})
    assert task.made_from == Copied(tmp_path / "there").task("a", "input", {"path": "/there"}, 7).made_from
    others = [
        Copied(tmp_path, 2).task("a", "input"),
        Copied(tmp_path).task("b", "input"),
        Copied(tmp_path).task("a", "other input"),
    ]
    monkeypatch.setattr(steps, "__version__", "0")
    others.append(Copied(tmp_path).task("a", "input"))
    assert len({each.made_from for each in (task, *others)}) == 5


def test_what_another_key_made_is_made_again(tmp_path: Path) -> None:
    engine = steps.EngineConfig(kind="local", workers=1, address="", nodes=0)
    for key in (1, 2, 2):
        step = Copied(tmp_path, key)
        steps.run_step(step, "copy", [step.task("a", "input")], engine)
        assert (tmp_path / "a.txt").read_text() == str(key)
