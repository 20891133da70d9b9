"""The talk's table, of numbers that are made up."""

from __future__ import annotations

from typing import Any

import pytest

from snowcoder.repair.results import BugResult, RepairResults
from snowcoder.repair.table import guided_by, repair_table

GUIDANCE: dict[str, Any] = {"names": "none", "memory": True, "active": False, "grammar": False}
TAKEN = {"written_tokens": 200, "generation_seconds": 8.0, "cpu_seconds": 6.0, "calls": 10, "from_cache": 30}


def run_of(name: str, compilable: int, judged: bool = True, **guidance: Any) -> RepairResults:
    bugs = [
        BugResult("a", 10, 9, compilable, 2, 1, judged, 1),
        BugResult("b", 10, 8, compilable, 0, 0, judged, 2),
    ]
    return RepairResults(name, {**GUIDANCE, **guidance}, "model", 1, bugs, TAKEN)


def test_a_row_has_the_talks_columns() -> None:
    row = repair_table([run_of("one", 5, names="all")]).split("\n")[2]
    assert row == "| one | pruning + memorization | 2 | 20 | 8 | 30.0 | 0.050 | 75.0 | 85.0 | 50.0 | 10.0 | 1 | 1 |"


def test_what_is_not_known_is_left_open() -> None:
    run = run_of("one", 0, judged=False)
    row = repair_table([RepairResults(**{**vars(run), "taken": {}})]).split("\n")[2]
    assert row == "| one | plain | 2 | 20 | – | – | – | – | 85.0 | – | – | – | 1 |"
    assert "2 bugs have no tests here" in repair_table([run])


@pytest.mark.parametrize(
    ("guidance", "expected"),
    [
        ({}, "plain"),
        ({"names": "all", "memory": False}, "pruning"),
        ({"names": "all"}, "pruning + memorization"),
        ({"names": "all", "active": True}, "pruning + memorization + active completion"),
        ({"names": "all", "active": True, "grammar": True}, "pruning + memorization + active completion + grammar"),
        ({"names": "members"}, "members + memorization"),
        ({"grammar": True}, "grammar"),
    ],
)
def test_rows_are_called_as_the_talk_does(guidance: dict[str, Any], expected: str) -> None:
    assert guided_by(run_of("one", 5, **guidance)) == expected


def test_a_difference_is_told_with_its_interval() -> None:
    table = repair_table([run_of("plain", 2), run_of("guided", 6, names="all")])
    assert "| compilable | plain to guided | +40.0 (+40.0 to +40.0) | more |" in table
    assert "| plausible | plain to guided | +0.0 (+0.0 to +0.0) | not decided by so few |" in table
