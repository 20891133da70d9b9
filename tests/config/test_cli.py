"""The command itself: exit status, where messages go, what comes next, no traces."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snowcoder.cli import VERBS, main
from snowcoder.errors import UserError


def snowcoder(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snowcoder", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_config_show_prints_yaml_that_names_every_section() -> None:
    done = snowcoder("config", "show", "recipe=demo")
    assert done.returncode == 0
    assert "phases:" in done.stdout
    assert "vocab_size: 4096" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["config", "check", "model.layers=0"], "model.layers=0: input should be greater than or equal to 1"),
        (["trian"], "unknown verb 'trian' (did you mean train?); `snowcoder --help` lists all"),
        (["trian", "recipe=demo"], "unknown verb 'trian' (did you mean train?); `snowcoder --help` lists all"),
        (["tokeniser", "train"], "unknown verb 'tokeniser train' (did you mean tokenizer train?)"),
        (["cnfig", "shwo"], "unknown verb 'cnfig shwo' (did you mean config show?)"),
        (["exprot", "runs/mine"], "unknown verb 'exprot runs/mine' (did you mean export?)"),
        (["index"], "`snowcoder index` is followed by one of: build, verify, peek"),
        (["index", "recipe=demo"], "`snowcoder index` is followed by one of: build, verify, peek"),
        (["index", "bild"], "is followed by one of: build, verify, peek (did you mean index build?)"),
        (
            ["evaluate", "chek"],
            "usage: snowcoder evaluate [key=value ...]; got ['chek'] (did you mean evaluate check?)",
        ),
        (["config", "check", "stray"], "usage: snowcoder config check [key=value ...]; got ['stray']"),
        (["status"], "usage: snowcoder status RUN [json]; got []"),
        (["status", "runs/mine", "json", "recipe=demo"], "`snowcoder status` takes no overrides; got recipe=demo"),
    ],
)
def test_user_mistake_exits_with_2_and_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == UserError.exit_code
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert len(said.err.splitlines()) <= 2


@pytest.mark.parametrize("arguments", [["--help"], ["help"], []])
def test_help_lists_every_verb(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(arguments)
    shown = capsys.readouterr().out
    assert all(f"\n  {verb}" in shown for verb in VERBS)


def test_each_stage_names_the_one_after_it() -> None:
    for first in ("corpus pack", "annotate train", "synthesize", "import", "doctor"):
        walked = [first]
        while following := VERBS[walked[-1]].next:
            assert following not in walked
            walked.append(following)
        assert walked[-3:] == ["train", "export", "evaluate"]


@pytest.mark.parametrize(("arguments", "status"), [("--help", 128 + signal.SIGPIPE), ("trian", UserError.exit_code)])
def test_a_reader_that_has_gone_is_told_nothing(arguments: str, status: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # as after `| head`
    done = snowcoder(arguments, stdout=writing)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr


def test_an_output_that_cannot_be_written_is_one_message() -> None:
    with open("/dev/full", "w") as full:
        done = snowcoder("--help", stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr == "snowcoder: the output cannot be written: No space left on device\n"


def test_a_closed_output_is_nothing_to_write_to(tmp_path: Path) -> None:
    command = f"exec {sys.executable} -m snowcoder config check run.dir={tmp_path} >&- 2>{tmp_path}/errors"
    assert subprocess.run(["bash", "-c", command], check=False).returncode == 0
    assert (tmp_path / "errors").read_text() == ""


# `import` and the annotator's stages need torch from the beginning.
QUICK = ["export", "evaluate", "finetune", "train", "plan", "index build", "tokenizer train", "ablate", "status"]
SLOW = {"torch", "transformers", "scipy", "sklearn", "boto3"}


def test_a_stage_that_is_up_to_date_waits_for_no_library() -> None:
    modules = [VERBS[verb].target.partition(":")[0] for verb in QUICK]
    assert not SLOW & imported_with(*modules)
    assert not {"hydra", "pydantic", "numpy"} & imported_with("snowcoder.cli")


def imported_with(*modules: str) -> set[str]:
    script = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    return {*subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()}
