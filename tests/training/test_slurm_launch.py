"""The line of srun that starts ranks, by stand-ins for Slurm's programs; tests/system runs the real ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, Requeued, UserError
from snowcoder.training.train import launch
from tests.tiny import tiny_overrides

# The stand-in knows --label and the options of pyxis, as srun does where pyxis is installed.
SRUN = """#!/bin/bash
for word in "$@"; do
  case $word in
    --kill-on-bad-exit=* | --wait=* | --label | --help | --container-*=*) ;;
    --*) echo "srun: unrecognized option '$word'" >&2; exit 255 ;;
    *) break ;;
  esac
done
[ "${!#}" = --help ] && exit
printf '%s\\n' "$@" > "$SEEN"
echo "$MASTER_ADDR $MASTER_PORT" >> "$SEEN"
echo "$GLIBC_TUNABLES" >> "$SEEN.glibc"
exit "${ENDS_WITH:-0}"
"""
SCONTROL = """#!/bin/bash
case "$1 $2" in
  "show hostnames") printf 'n1\\nn2\\n' ;;
  "show job") echo "JobState=RUNNING Partition=gpu" ;;
  requeue*) echo requeued >> "$SEEN" ;;
esac
"""
PYXIS = ["--container-image=/images/snow coder.sqsh", "--container-mounts=/shared:/shared,/scratch:/scratch"]


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where srun's arguments are found; this process is taken for the batch script of a job of one task."""
    for name, text in {"srun": SRUN, "scontrol": SCONTROL, "apptainer": "#!/bin/sh\n"}.items():
        (tmp_path / "programs" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "programs" / name).write_text(text)
        (tmp_path / "programs" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/programs:{os.environ['PATH']}")
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SEEN": f"{tmp_path}/seen"}.items():
        monkeypatch.setenv(name, value)
    for name in ("MASTER_ADDR", "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "seen"


def config_of(folder: Path, **of_launch: list[str]) -> Config:
    config = load_config(tiny_overrides(folder, "launch=slurm", "parallel=single"))
    return config.model_copy(update={"launch": config.launch.model_copy(update=of_launch)})


def start(config: Config) -> None:
    launch("a.module:task", config, "resolved.yaml")


def test_without_more_ranks_are_tasks_of_this_python(seen: Path, tmp_path: Path) -> None:
    start(config_of(tmp_path))
    worker = ["-m", "snowcoder.training.rank.worker", "a.module:task", f"{tmp_path}/resolved.yaml"]
    assert seen.read_text().splitlines() == ["--kill-on-bad-exit=0", "--wait=10", sys.executable, *worker, "n1 20007"]


def test_memory_comes_in_large_pages_if_the_user_has_not_chosen(
    seen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(config_of(tmp_path))
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=0")
    start(config_of(tmp_path))
    chosen = seen.with_suffix(".glibc").read_text().splitlines()
    assert chosen == ["glibc.malloc.hugetlb=1", "glibc.malloc.check=0"]


def test_pyxis_gets_its_options_and_the_python_of_its_image(seen: Path, tmp_path: Path) -> None:
    start(config_of(tmp_path, srun=[*PYXIS, "--label"], python=["/opt/venv/bin/python"]))
    words = seen.read_text().splitlines()
    assert words[2:7] == [*PYXIS, "--label", "/opt/venv/bin/python", "-m"]


def test_apptainer_is_what_srun_starts(seen: Path, tmp_path: Path) -> None:
    container = ["apptainer", "exec", "--nv", "--bind", "/shared", "/images/snow coder.sif", "python"]
    start(config_of(tmp_path, python=container))
    assert seen.read_text().splitlines()[2:10] == [*container, "-m"]


def test_the_first_nodes_name_may_be_given(seen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "n1i")
    start(config_of(tmp_path))
    assert seen.read_text().splitlines()[-1] == "n1i 20007"


def test_an_option_that_srun_does_not_know_is_refused_before_ranks_start(seen: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"launch\.srun=\['--contaner-image=x'\]: srun: unrecognized option"):
        start(config_of(tmp_path, srun=["--contaner-image=x"]))
    assert not seen.exists()


def test_a_container_runtime_that_is_not_there_is_named(seen: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"singularity is no program on .*: load its module|singularity is no program"):
        start(config_of(tmp_path, python=["singularity", "exec", "x.sif", "python"]))
    assert not seen.exists()


def test_what_never_started_a_rank_is_not_tried_again(
    seen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a job's first start; of one that ran before, it is a fault like others."""
    monkeypatch.setenv("ENDS_WITH", "255")  # as apptainer does; not a signal, though more than 128
    config = config_of(tmp_path, python=["apptainer", "exec", "no.sif", "python"])
    with pytest.raises(OperationError, match=r"no rank was ever heard of .*status 255.*launch\.python=\['apptainer'"):
        start(config)
    assert "requeued" not in seen.read_text()
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with pytest.raises(Requeued):
        start(config)
    assert seen.read_text().splitlines()[-1] == "requeued"


@pytest.mark.parametrize("word", ["container-image=x", "", "-", "--"])
def test_an_option_begins_with_a_dash(tmp_path: Path, word: str) -> None:
    with pytest.raises(UserError, match=r"launch\.srun"):
        load_config(tiny_overrides(tmp_path, f"launch.srun=['{word}']"))
