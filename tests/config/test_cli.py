"""The command as a process: exit status, where messages go, no traces."""

import subprocess
import sys

import pytest


def snowcoder(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "snowcoder", *arguments], capture_output=True, text=True, check=False)


def test_config_show_prints_yaml_that_names_every_section() -> None:
    done = snowcoder("config", "show", "recipe=demo")
    assert done.returncode == 0
    assert "phases:" in done.stdout
    assert "vocab_size: 4096" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cnfig", "show"], "unknown verb"),
        (["config", "check", "model.layers=0"], "model.layers=0: input should be greater than or equal to 1"),
        (["config", "check", "stray"], "usage: snowcoder config check"),
        (["status"], "usage: snowcoder status RUN"),
    ],
)
def test_user_mistake_exits_with_2_and_one_message(arguments: list[str], message: str) -> None:
    done = snowcoder(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_every_verb() -> None:
    done = snowcoder("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in ("tokenizer train", "index build", "plan", "train", "export"))
