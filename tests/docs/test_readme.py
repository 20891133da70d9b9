"""The README's "My own repositories", to the letter: its recipe and its commands, on two small projects."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from snowcoder.config.compose import conf_dir
from tests.docs.pages import blocks, section

SECTION = section("My own repositories")
(RECIPE,), (COMMANDS,) = blocks(SECTION, "yaml"), blocks(SECTION)
PROJECTS = {"project-a": ["asyncio", "email", "http", "json"], "project-b": ["multiprocessing", "unittest", "xml"]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with the projects, and a copy of conf/ with the recipe."""
    for project, packages in PROJECTS.items():
        for package in packages:
            code = Path(sysconfig.get_path("stdlib")) / package
            shutil.copytree(code, tmp_path / "src" / project / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(conf_dir(), tmp_path / "conf")
    (tmp_path / "conf" / "recipe" / "mine.yaml").write_text(RECIPE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SNOWCODER_CONF", raising=False)
    return tmp_path


def run_commands(home: Path, last: str) -> str:
    """The commands up to the one that begins with `last`, in the home folder; what that one printed.

    Each names the one after it.
    """
    commands = COMMANDS.splitlines()
    (end,) = (number for number, command in enumerate(commands) if command.startswith(last))
    for command, following in zip(commands[: end + 1], [*commands[1:], "snowcoder evaluate recipe=mine"], strict=False):
        here = command.replace("snowcoder", f"{sys.executable} -m snowcoder", 1)
        done = subprocess.run(here, shell=True, cwd=home, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert done.stdout.splitlines()[-1] == f"next: {following}"
    return done.stdout


def test_the_recipe_has_all_that_a_plan_of_all_phases_needs(home: Path) -> None:
    output = run_commands(home, "snowcoder plan")
    assert "The plan is written to runs/mine/plan" in output
    assert "cannot be trained yet" not in output


@pytest.mark.slow
def test_the_commands_end_in_a_model(home: Path) -> None:
    assert "parity with" in run_commands(home, "snowcoder export")
    assert (home / "runs" / "mine" / "hf" / "model.safetensors").is_file()
