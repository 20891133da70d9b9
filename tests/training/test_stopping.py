"""Signals without Slurm: the run saves at a step boundary and stops; the same command goes on."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from test_training import PHASES

from snowcoder.cli import main
from snowcoder.config.compose import load_config
from snowcoder.training.checkpoints.completion_record import complete_steps
from snowcoder.training.events import read_events
from snowcoder.training.launch.local import LocalRanks
from snowcoder.training.launch.watch import RanksEnded
from tests.system.jobs import wait_for_event
from tests.tiny import curve, snowcoder, steps_of, tiny_overrides
from tests.training.test_bad_numbers import overrides_of


def start(folder: Path, workspace: Path) -> tuple[subprocess.Popen[str], list[str]]:
    """A training of two ranks, some steps after its start."""
    overrides = overrides_of(folder, workspace, "tp2sp", "checkpoint.every_steps=1000", "checkpoint.asynchronous=true")
    snowcoder("plan", *overrides)
    command = [sys.executable, "-m", "snowcoder", "train", *overrides]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not steps_of(folder):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    return process, overrides


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, marks=pytest.mark.slow),
    ],
    ids=lambda number: number.name,
)
def test_a_signal_saves_and_stops_and_the_same_command_goes_on(
    tmp_path: Path, workspace: Path, number: signal.Signals
) -> None:
    process, overrides = start(tmp_path, workspace)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 75, errors
    (step,) = complete_steps(tmp_path / "train" / "checkpoints")
    assert f"stopped by {number.name}, after saving at step {step}" in errors
    assert "Traceback" not in errors
    if number == signal.SIGINT:  # once is enough
        snowcoder("train", *overrides)
        assert len(curve(tmp_path)) == 30


def test_a_second_training_is_refused_and_ctrl_c_twice_ends_the_first_at_once(
    tmp_path: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process, overrides = start(tmp_path, workspace)
    ranks = [
        child for child in psutil.Process(process.pid).children() if "snowcoder.training.rank.worker" in child.cmdline()
    ]
    for rank in ranks:
        rank.suspend()  # they cannot save
    with pytest.raises(SystemExit, match="2"):
        main(["train", *overrides])
    said = capsys.readouterr().err
    assert f"{tmp_path} is being trained by process {process.pid} on {socket.gethostname()} (since 20" in said
    assert [event.kind for event in read_events(tmp_path)] == ["started"]
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "SIGINT: the ranks save at the end of this step" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert not (tmp_path / "train" / ".lock").exists()
    assert not any(rank.is_running() for rank in ranks)


def test_of_two_ranks_that_ended_the_killed_one_is_blamed(tmp_path: Path) -> None:
    script = "import os, sys; os.kill(os.getpid(), 9) if os.environ['RANK'] == '1' else sys.exit(1)"
    config = load_config(tiny_overrides(tmp_path, *PHASES, "parallel=tp2"))
    ranks = LocalRanks([sys.executable, "-c", script], config, {})
    for process in ranks.processes:
        process.wait()
    assert ranks.poll() == RanksEnded(-9, 1)


def test_a_killed_rank_is_named(tmp_path: Path, workspace: Path) -> None:
    process, _ = start(tmp_path, workspace)
    workers = [
        child for child in psutil.Process(process.pid).children() if "snowcoder.training.rank.worker" in child.cmdline()
    ]
    (rank,) = [worker for worker in workers if worker.environ()["RANK"] == "1"]
    rank.kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert "rank 1 on" in errors
    assert "was killed by signal 9" in errors
    assert "was killed by signal 9" in wait_for_event("failed", tmp_path, 1).text
    assert [event.kind for event in read_events(tmp_path)] == ["started", "failed"]
