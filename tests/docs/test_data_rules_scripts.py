"""The scripts that count how often the corpus's rules are wrong say how they are called, and the page says it too."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    path.stem for path in (ROOT / "benchmarks" / "data_rules").glob("*.py") if "__main__" in path.read_text()
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_arguments_a_script_shows_them_as_the_page_does(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [script])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(f"benchmarks.data_rules.{script}", run_name="__main__")
    out, err = capsys.readouterr()
    assert (end.value.code, out, err.count("\n")) == (2, "", 1)
    words = err.strip().removeprefix("usage: ")
    assert script in words
    assert f"`{words}`" in (ROOT / "docs" / "data-rules.md").read_text()
