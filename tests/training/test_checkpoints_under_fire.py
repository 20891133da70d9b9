"""Kills, a full disk and writers that fail: there is always a valid checkpoint, and the losses are always equal."""

from __future__ import annotations

import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from snowcoder.errors import OperationError
from snowcoder.training.checkpoints.completion_record import (
    all_steps,
    complete_steps,
    find_damage,
    newest_valid,
    read_record,
    step_folder,
)
from snowcoder.training.checkpoints.safe_metadata import safe_loading
from snowcoder.training.events import read_events
from tests.tiny import snowcoder, steps_of
from tests.training.records import vouch_for
from tests.training.small_run import SmallRun

ASYNCHRONOUS = "checkpoint.asynchronous=true"
STEPS = 12
SETTINGS = ["checkpoint.every_steps=4", "checkpoint.keep=9"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> SmallRun:
    run = SmallRun(tmp_path_factory.mktemp("undisturbed"), workspace, "tp1", STEPS, *SETTINGS).plan()
    run.train()
    return run


def until(condition: Callable[[], Any], what: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


# Kills


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thirty_kills_at_random_points_change_nothing(tmp_path: Path, workspace: Path) -> None:
    seed = int(os.environ.get("SNOWCODER_TEST_SEED", time.time_ns() % 10**6))
    print(f"seed {seed}")
    draw, steps = random.Random(seed), 120
    straight = SmallRun(tmp_path / "straight", workspace, "tp1", steps, "checkpoint.every_steps=60").plan()
    straight.train()
    run = SmallRun(tmp_path / "killed", workspace, "tp1", steps, ASYNCHRONOUS, "checkpoint.every_steps=2").plan()
    in_saves = 0
    for _ in range(30):
        newest = max(complete_steps(run.checkpoints), default=0)
        kill_after(run, draw.randint(0, 7), draw.uniform(0, 0.3))
        in_saves += all_steps(run.checkpoints) != complete_steps(run.checkpoints)
        check_nothing_lost(run, newest)
    assert complete_steps(run.checkpoints)[-1] < steps, "it ended before the last kill"
    print(f"{in_saves} of 30 kills fell into a save or into pruning")
    run.train()
    assert run.curve == straight.curve
    assert len(run.curve) == steps


def kill_after(run: SmallRun, steps: int, seconds: float) -> None:
    """SIGKILL all processes of a training, so long after it did so many steps, in whatever they are in."""
    starts = len(run.events("started"))
    process = subprocess.Popen(
        [sys.executable, "-m", "snowcoder", "train", *run.overrides], start_new_session=True, stdout=subprocess.DEVNULL
    )
    until(lambda: len(run.events("started")) > starts or process.poll() is not None, "it did not start")
    first = run.events("started")[-1].step or 0

    def far_enough() -> bool:
        records = steps_of(run.folder)
        return process.poll() is not None or steps == 0 or bool(records and records[-1]["step"] >= first + steps)

    until(far_enough, f"it did not come to step {first + steps}")
    time.sleep(seconds)
    assert process.poll() is None, "it ended by itself"
    kill_tree(process.pid)
    process.wait()


def kill_tree(launcher: int) -> None:
    """The launcher and its ranks, which have groups of their own."""
    children = subprocess.run(["pgrep", "-P", str(launcher)], capture_output=True, text=True, check=False).stdout
    for pid in [launcher, *map(int, children.split())]:
        os.kill(pid, signal.SIGKILL)


def check_nothing_lost(run: SmallRun, newest: int) -> None:
    """There is a valid checkpoint, at least as new as the newest complete one before."""
    found, _ = newest_valid(run.checkpoints)
    assert found is not None or newest == 0
    if found is not None:
        assert read_record(found).step >= newest
    for step in complete_steps(run.checkpoints):
        assert find_damage(step_folder(run.checkpoints, step)) is None


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["true", "false"])
def test_kills_at_chosen_points_change_nothing(
    tmp_path: Path, workspace: Path, undisturbed: SmallRun, mode: str
) -> None:
    settings = [f"checkpoint.asynchronous={mode}", "checkpoint.every_steps=4", "checkpoint.keep=1"]
    run = SmallRun(tmp_path, workspace, "tp1", STEPS, *settings).plan()
    newest = 0
    # The last two lives never come to their next save: whatever one finds, the next must find as well.
    for where in ("writing", "files", "record", "pruning", "loading", "loading"):
        with pytest.raises(OperationError, match="killed by signal 9"):
            run.launch("tests.training.kills:train_killed", where)
        check_nothing_lost(run, newest)
        newest = max(complete_steps(run.checkpoints), default=0)
        if where in ("writing", "files", "record"):
            assert all_steps(run.checkpoints) == [4]
            assert newest == 0
    assert all_steps(run.checkpoints) == [4, 8]
    assert newest == 8
    output = run.train()
    assert "resumed from" in output
    assert run.curve == undisturbed.curve
    assert all_steps(run.checkpoints) == [12]  # what the kill in pruning left is gone too


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for checkpoints, of 16 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "train" / "checkpoints"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """A file that takes all room of a file system but so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - leave)
    return ballast


def size_of(checkpoint: Path) -> int:
    return sum(path.stat().st_size for path in checkpoint.iterdir())


@pytest.mark.parametrize(
    "mode", ["true", pytest.param("false", marks=pytest.mark.slow)], ids=["asynchronous", "synchronous"]
)
def test_a_full_disk_stops_nothing_that_was_good(
    small_disk: Path, tmp_path: Path, workspace: Path, undisturbed: SmallRun, mode: str
) -> None:
    settings = [f"checkpoint.asynchronous={mode}", "checkpoint.every_steps=4", "checkpoint.keep=9"]
    run = SmallRun(tmp_path, workspace, "dp2", STEPS, *settings).plan()
    ballast = fill(small_disk, leave=int(1.5 * size_of(step_folder(undisturbed.checkpoints, 4))))
    done = snowcoder("train", *run.overrides, check=False)
    assert done.returncode == 1
    assert "the save of step 12 failed: " in done.stderr
    assert "No space left on device" in done.stderr
    assert "make room there, or lower checkpoint.keep" in done.stderr
    assert "the newest complete one is of step 4. After that the same command goes on from it" in done.stderr
    assert "Traceback" not in done.stderr
    first, *_ = warnings = run.events("warning")
    assert [event.step for event in warnings] == [8, 12, 12]  # the last one is tried again at the end
    assert "No space left on device" in first.text
    assert re.search(r"In \S+ [\d.]+ \w*B are free", first.text)
    assert "Training goes on; the next save tries again" in first.text
    assert f"warning: {first.text}" in done.stdout
    assert [event.step for event in run.events("checkpoint")] == [4]
    assert all_steps(small_disk) == [4]  # what failed is removed
    assert find_damage(step_folder(small_disk, 4)) is None
    before = run.curve
    assert len(before) == STEPS
    ballast.unlink()
    assert "resumed from" in run.train()
    assert run.curve == before
    assert complete_steps(small_disk) == [4, 8, 12]


@pytest.mark.slow
def test_when_there_is_room_again_the_next_save_succeeds(small_disk: Path, tmp_path: Path, workspace: Path) -> None:
    settings = [ASYNCHRONOUS, "checkpoint.every_steps=4", "checkpoint.keep=1"]
    run = SmallRun(tmp_path, workspace, "tp1", 400, *settings).plan()
    ballast = fill(small_disk, leave=100_000)

    def make_room() -> None:
        until(lambda: run.events("warning"), "no save failed")
        ballast.unlink()

    thread = threading.Thread(target=make_room)
    thread.start()
    run.train()
    thread.join()
    kinds = [event.kind for event in read_events(tmp_path) if event.kind in ("warning", "checkpoint")]
    assert kinds[0] == "warning"
    assert kinds[-1] == "checkpoint"
    assert complete_steps(small_disk) == [400]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "told"), [("killed", "its writer was killed by signal 9"), ("stopped", "its writer came to no end in time")]
)
def test_a_writer_that_fails_is_a_save_that_failed(
    tmp_path: Path, workspace: Path, undisturbed: SmallRun, how: str, told: str
) -> None:
    settings = [ASYNCHRONOUS, "checkpoint.every_steps=4"]
    run = SmallRun(tmp_path, workspace, "dp2", STEPS, *settings).plan()
    run.launch("tests.training.kills:train_stalled", how)
    (warning,) = run.events("warning")
    assert warning.step == 4
    assert told in warning.text
    assert complete_steps(run.checkpoints) == [8, 12]
    assert [loss for loss, _ in run.curve] == pytest.approx([loss for loss, _ in undisturbed.curve], abs=1e-5)


# Pickles


class Malicious:
    def __init__(self, evidence: Path) -> None:
        self.evidence = evidence

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.evidence}",)


@pytest.mark.parametrize("name", [".metadata", pytest.param("common.pt", marks=pytest.mark.slow)])
def test_a_pickle_that_runs_code_is_refused_before_it_does(
    tmp_path: Path, workspace: Path, undisturbed: SmallRun, name: str
) -> None:
    run = SmallRun(tmp_path, workspace, "tp1", STEPS).plan()
    checkpoint, evidence = step_folder(run.checkpoints, 8), tmp_path / "evidence"
    shutil.copytree(step_folder(undisturbed.checkpoints, 8), checkpoint)
    if name == ".metadata":
        (checkpoint / name).write_bytes(pickle.dumps(Malicious(evidence)))
    else:
        torch.save({"optimizer": Malicious(evidence)}, checkpoint / name)
    vouch_for(checkpoint)
    assert find_damage(checkpoint) is None
    done = snowcoder("train", *run.overrides, check=False)
    assert done.returncode == 1
    assert f"{checkpoint} is not loaded: " in done.stderr
    assert "would call posix.system" in done.stderr
    assert "find out who can write there, and remove it" in done.stderr
    assert not evidence.exists()


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Path("/")),
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04\x8c\x27torch.distributed.checkpoint.filesystem\x8c\x09os.system\x93.",
        b"no pickle",
        b"",
    ],
)
def test_metadata_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / ".metadata").write_bytes(data)
    refused = pytest.raises(OperationError, match=r"is not loaded: \.metadata (would call|is no metadata)")
    with refused, safe_loading(tmp_path):
        pytest.fail("it was accepted")


def test_all_that_torch_reads_is_held_to_tensors(tmp_path: Path, undisturbed: SmallRun) -> None:
    """Also what is inside of the .distcp files, which torch reads with weights_only=False."""
    torch.save(Malicious(tmp_path / "evidence"), tmp_path / "object")
    refused = pytest.raises(OperationError, match=r"would call posix\.system")
    with refused, safe_loading(step_folder(undisturbed.checkpoints, 8)):
        torch.load(tmp_path / "object", weights_only=False)
    assert not (tmp_path / "evidence").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
