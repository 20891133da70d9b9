"""Bugs as they are read: where they are, and what belongs around them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.repair.bugs import differing_lines
from snowcoder.repair.read import read_bugs
from tests.repair.conftest import PYTHON, PYTHON_HEAD


@pytest.mark.parametrize(
    ("buggy", "fixed", "hunk", "fix", "hunks"),
    [
        ("a\nb\nc\n", "a\nB\nc\n", "b", "B", 1),
        ("a\nc\n", "a\nb\nc\n", "", "b", 1),  # a line is missing
        ("a\nb\nc\n", "a\nc\n", "b", "", 1),  # one is too many
        ("a\nb\nc\nd\n", "A\nb\nc\nD\n", "a\nb\nc\nd", "A\nb\nc\nD", 2),
        ("a\nb", "a\nc", "b", "c", 1),  # no newline at the end
    ],
)
def test_the_hunk_is_what_differs(buggy: str, fixed: str, hunk: str, fix: str, hunks: int) -> None:
    span = differing_lines(buggy, fixed, "head\n")
    assert (span.hunk, span.fix, span.hunks) == (hunk, fix, hunks)
    assert span.after.startswith("\n")
    for text, whole in ((span.hunk, buggy), (span.fix, fixed)):
        lines = (span.before + text + span.after).split("\n")
        assert list(filter(None, lines)) == ["head", *filter(None, whole.split("\n"))]


def test_a_row_of_humanevalfix(config_of: Callable[..., Config]) -> None:
    (bug,) = read_bugs(config_of().repair)
    assert bug.hunk == "        found = min(found, each)"
    assert bug.fix == "        found = max(found, each)"
    assert bug.program(bug.hunk) == PYTHON["prompt"] + PYTHON["buggy_solution"]
    (bare,) = read_bugs(config_of("repair.docstring=false").repair)
    assert bare.program(bare.fix) == PYTHON_HEAD + PYTHON["canonical_solution"]


def test_what_is_wrong_with_data_is_said(config_of: Callable[..., Config], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Python/7: not in .*did you mean Python/0"):
        read_bugs(config_of("repair.bugs=[Python/7]").repair)
    with pytest.raises(UserError, match=r"is not there; the file is at .*Set repair\.data=FILE"):
        read_bugs(config_of(f"repair.data={tmp_path}/none.jsonl.gz").repair)
    with pytest.raises(UserError, match="Python/0 is not in java"):
        read_bugs(config_of(language="java").repair)
    with pytest.raises(UserError, match="has no bugs of humanevalfix"):
        read_bugs(config_of(rows=({"task_id": "Python/0"},)).repair)
    with pytest.raises(UserError, match="is empty: no bugs of humanevalfix"):
        read_bugs(config_of(rows=()).repair)


METHOD = ["    int half(int n) {", "        return n * 2;", "    }"]


def defects4j_row(**changes: Any) -> dict[str, Any]:
    fixed = [METHOD[0], "        return n / 2;", METHOD[2]]
    texts = {"buggy": "\n".join(METHOD), "fix": "\n".join(fixed)}
    return {"prefix": METHOD[0], "suffix": METHOD[2], "start": 3, "end": 5, **texts, **changes}


def defects4j_config(config_of: Callable[..., Config], folder: Path, row: dict[str, Any], *more: str) -> Config:
    (folder / "bugs.json").write_text(json.dumps({"Half-1": row}))
    return config_of("repair=defects4j", f"repair.data={folder}/bugs.json", *more)


def test_a_method_of_defects4j(config_of: Callable[..., Config], tmp_path: Path) -> None:
    (bug,) = read_bugs(defects4j_config(config_of, tmp_path, defects4j_row()).repair)
    assert (bug.before, bug.hunk, bug.fix, bug.after) == (
        METHOD[0] + "\n",
        "        return n * 2;",
        "        return n / 2;",
        "\n" + METHOD[2],
    )
    assert not bug.is_judged


def test_a_hunk_of_no_lines(config_of: Callable[..., Config], tmp_path: Path) -> None:
    row = defects4j_row(prefix="\n".join(METHOD[:2]), fix="\n".join([*METHOD[:2], "        // more", METHOD[2]]))
    (bug,) = read_bugs(defects4j_config(config_of, tmp_path, row).repair)
    assert (bug.hunk, bug.fix, bug.hunks) == ("", "        // more", 1)


def test_a_fix_in_other_places_than_the_table_says(config_of: Callable[..., Config], tmp_path: Path) -> None:
    row = defects4j_row(fix="\n".join(["    long half(int n) {", "        return n / 2;", "    }"]))
    (bug,) = read_bugs(defects4j_config(config_of, tmp_path, row).repair)
    assert bug.program(bug.fix).rstrip("\n") == row["fix"]
    assert bug.hunk == "\n".join(METHOD[:2])


def test_a_checkout_that_is_not_prepared_or_another(config_of: Callable[..., Config], tmp_path: Path) -> None:
    config = defects4j_config(config_of, tmp_path, defects4j_row(), f"repair.checkouts={tmp_path}")
    with pytest.raises(UserError, match=r"has no cp.test, .*defects4j export -p PROPERTY"):
        read_bugs(config.repair)
    root = tmp_path / "Half-1"
    (root / "src").mkdir(parents=True)
    (root / "src" / "Half.java").write_text("class Half {\n}\n")
    for name, text in {"cp.test": "", "dir.src.classes": "src", "classes.modified": "Half"}.items():
        (root / name).write_text(text)
    for name in ("tests.trigger", "tests.all"):
        (root / name).touch()
    with pytest.raises(UserError, match=r"no class .* has the buggy method in lines 3 to 5"):
        read_bugs(config.repair)
    text = "\n".join(["package p;", "class Half {", *METHOD, "}", ""])
    (root / "src" / "Half.java").write_text(text)
    (bug,) = read_bugs(config.repair)
    assert bug.program(bug.hunk) == text
    assert bug.is_judged
