"""What a TAB offers, in a real bash, and in a zsh where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from snowcoder.cli import main
from snowcoder.config.compose import conf_dir

# As a shell asks for completions: here with the line, which is cut at "=" by bash alone. PATH is empty: no Python.
ASK = """
PATH=
while IFS= read -r LINE; do
  COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_WORDS=() COMP_CWORD=0 COMPREPLY=()
  _snowcoder
  (IFS='|'; echo "${COMPREPLY[*]}")
done
"""
CASES = {
    "snowcoder co": "config |corpus |completion ",
    "snowcoder corpus ": "pack |build |report ",
    "snowcoder  corpus b": "build ",
    "snowcoder corpus build tok": "tokenizer=|tokenizer.",
    "snowcoder corpus build model=": "smollm2_135m |snowcoder_1_3b |tiny ",
    "snowcoder corpus build model=t": "tiny ",
    "snowcoder train recipe=demo phase=": "phase1 |phase2 |phase3 ",
    "snowcoder train phases.": "phases.phase1.|phases.phase2.|phases.phase3.",
    "snowcoder train optimizer.beta": "optimizer.beta1=|optimizer.beta2=",
    "snowcoder train parallel.seq": "parallel.sequence=",
    "snowcoder train parallel.sequence=": "false |true ",
    "snowcoder train precision.dtype=b": "bf16 ",
    "snowcoder train run.dir=": "",  # files, by the shell
    "snowcoder evaluate ch": "check |checkpoint=|checkpoint.",
    "snowcoder evaluate check pi": "pii=|pii.",
    "snowcoder status ": "",
    "snowcoder status op": "",
    "snowcoder help ind": "index ",
    "snowcoder help index p": "peek ",
    "snowcoder help train op": "",
    "snowcoder config explain optimizer.l": "optimizer.lr ",
    "snowcoder config explain optim": "optimizer |optimizer.",
    "snowcoder config explain optimizer.lr mod": "model=|model.",
    "snowcoder completion ": "bash |zsh ",
    "snowcoder train --he": "--help ",
    "snowcoder nothing ": "",
}


def script(shell: str, capsys: pytest.CaptureFixture[str], *overrides: str) -> str:
    main(["completion", shell, *overrides])
    return capsys.readouterr().out


def offers(shell: list[str], text: str, lines: list[str], **environment: str) -> list[str]:
    done = subprocess.run(
        [*shell, text + ASK],
        input="".join(f"{line}\n" for line in lines),
        env={**os.environ, "SNOWCODER_CONF": "", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_in_bash(capsys: pytest.CaptureFixture[str]) -> None:
    found = offers(["bash", "-c"], script("bash", capsys), list(CASES))
    assert dict(zip(CASES, found, strict=True)) == CASES


def test_in_zsh(capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("no zsh is installed")
    found = offers(["zsh", "-f", "-c"], script("zsh", capsys) + "emulate sh\n", list(CASES))
    assert [whole(*pair) for pair in zip(CASES, found, strict=True)] == [whole(*pair) for pair in CASES.items()]


def whole(line: str, offered: str) -> str:
    """zsh completes `model=tiny` where bash completes what is behind the "="."""
    return offered.replace(line.split(" ")[-1].partition("=")[0] + "=", "") if "=" in line.split(" ")[-1] else offered


def test_presets_are_those_of_now_and_names_those_of_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = script("bash", capsys, "+index.sources.mine={shards: here}")
    shutil.copytree(conf_dir(), tmp_path / "my conf")
    (tmp_path / "my conf" / "recipe" / "mine.yaml").touch()
    lines = ["snowcoder train recipe=m", "snowcoder train index.sources.m"]
    assert offers(["bash", "-c"], text, lines, SNOWCODER_CONF=str(tmp_path / "my conf")) == [
        "mine ",
        "index.sources.mine.",
    ]
    assert offers(["bash", "-c"], text, lines[:1]) == [""]


def test_other_shells_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["completion", "fish"])
    assert end.value.code == 2
    assert "allowed: bash, zsh" in capsys.readouterr().err
