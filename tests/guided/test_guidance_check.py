"""`snowcoder guidance check`: what a guide refuses of code that is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowcoder.cli import main
from snowcoder.config.compose import load_config
from snowcoder.errors import UserError
from snowcoder.guided.check import run

SHELF = """import os


def read_all(paths: list[str], prefix: str) -> list[str]:
    found = []
    for path in paths:
        found.append(os.path.join(prefix, path.strip()))
        # it's a comment: ) and paths.nothing
    return found
"""


def check(*words: str) -> None:
    main(["guidance", "check", *words, "tokenizer=snowcoder_64k"])


def test_right_code_is_not_refused_and_wrong_names_are_named_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "shelf.py").write_text(SHELF)
    check(str(tmp_path / "shelf.py"), "guidance=full")
    out = capsys.readouterr().out
    assert "guidance check: python: 7 lines, 0 refused (0.00%); " in out
    (tmp_path / "wrong.py").write_text(SHELF.replace("path.strip", "path.stripe").replace("return found", "return )"))
    check(str(tmp_path / "wrong.py"), "guidance=full")
    shown = capsys.readouterr()
    assert "7 lines, 2 refused" in shown.out
    assert f"{tmp_path}/wrong.py:7: member 'stripe': found.append" in shown.err
    assert f"{tmp_path}/wrong.py:9: grammar ' )\\n': return )" in shown.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shelf.py", "off"], "guidance=off refuses nothing"),
        (["names"], "name files of source code"),
        (["shelf.cob", "names"], r"no engine is for such files; there are some for .*\.py"),
        (["no-such-file.py", "names"], "is not there"),
    ],
)
def test_what_cannot_be_checked(words: list[str], message: str) -> None:
    config = load_config([f"guidance={words[-1]}", "tokenizer=snowcoder_64k"])
    with pytest.raises(UserError, match=message):
        run(config, *words[:-1])
