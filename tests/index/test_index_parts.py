"""Parts of an index side by side, and what may not run beside what."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from index_helpers import times, tree, write_shard

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index import build
from snowcoder.stages.lock import ALL, Part, _try, build_lock

Configure = Callable[..., Config]
Rows = list[dict[str, str]]
HOLD = """
import sys
from pathlib import Path
from snowcoder.stages.lock import Part, build_lock
with build_lock(Path(sys.argv[1]), Part.parse(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""
HOLD_IN_WORKER = """
import multiprocessing, os, sys, time
from pathlib import Path
from snowcoder.stages.lock import ALL, build_lock
def work(locks):
    print(os.getpid(), flush=True)
    time.sleep(60)
if __name__ == "__main__":
    with build_lock(Path(sys.argv[1]), ALL) as locks:
        worker = multiprocessing.get_context("forkserver").Process(target=work, args=(locks,))
        worker.start()
        worker.join()
"""


@contextmanager
def held(folder: Path, part: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of `part`."""
    command = [sys.executable, "-c", HOLD, str(folder), part]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_parts_and_the_build_after_them_give_the_bytes_of_one_build(
    tmp_path: Path, configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (3, 1):
        build.run(configure(f"index.part={number}/3"))
    folder = tmp_path / "index" / "raw"
    assert sorted(path.stem for path in (folder / "records").iterdir()) == [f"shard-0000{n}" for n in (0, 2, 3, 5)]
    assert "part 1/3 is done; 2 shards of other parts are not" in capsys.readouterr().out
    assert not (folder / "manifest.json").exists()
    before = times(folder)
    build.run(configure())  # finds what the parts did, does the rest
    assert {name: time for name, time in times(folder).items() if name in before} == {
        name: time for name, time in before.items() if ".lock" not in name
    }
    build.run(configure(f"index.dir={tmp_path / 'undisturbed'}"))
    assert tree(tmp_path / "index") == tree(tmp_path / "undisturbed")


def test_the_last_part_writes_the_manifest(tmp_path: Path, configure: Configure) -> None:
    for number in (1, 2, 3):
        build.run(configure(f"index.part={number}/3"))
    build.run(configure(f"index.dir={tmp_path / 'undisturbed'}"))
    assert tree(tmp_path / "index") == tree(tmp_path / "undisturbed")


def test_parts_at_the_same_time(tmp_path: Path, configure: Configure, overrides: list[str]) -> None:
    command = [sys.executable, "-m", "snowcoder", "index", "build", *overrides, "index.workers=1"]
    parts = [subprocess.Popen([*command, f"index.part={number}/2"]) for number in (1, 2)]
    assert [part.wait(120) for part in parts] == [0, 0]
    build.run(configure())
    build.run(configure(f"index.dir={tmp_path / 'undisturbed'}"))
    assert tree(tmp_path / "index") == tree(tmp_path / "undisturbed")


def test_a_part_leaves_alone_what_others_are_writing(tmp_path: Path, configure: Configure) -> None:
    train = tmp_path / "index" / "raw" / "train"
    train.mkdir(parents=True)
    theirs, ours = train / ".shard-00001.bin.12345678.tmp", train / ".shard-00002.bin.12345678.tmp"
    theirs.touch()
    ours.touch()
    build.run(configure("index.part=1/2"))
    assert theirs.exists()
    assert not ours.exists()
    build.run(configure())
    assert not theirs.exists()


@pytest.mark.parametrize(
    ("one", "other"), [("1/1", "1/1"), ("1/1", "2/3"), ("2/3", "1/1"), ("2/3", "2/3"), ("1/2", "2/3")]
)
def test_what_would_write_the_same_shards_is_refused(tmp_path: Path, one: str, other: str) -> None:
    with held(tmp_path, one) as process:
        named = rf"is being built by process {process.pid} on {re.escape(socket.gethostname())}: wait"
        with pytest.raises(UserError, match=named), build_lock(tmp_path, Part.parse(other)):
            pass
    with build_lock(tmp_path, Part.parse(other)):  # the kernel freed it
        pass


def test_other_parts_are_not_refused(tmp_path: Path) -> None:
    with held(tmp_path, "1/3"), held(tmp_path, "2/3"), build_lock(tmp_path, Part(3, 3)):
        pass
    with build_lock(tmp_path, ALL):
        pass
    assert not list(tmp_path.iterdir())


def test_a_second_build_is_refused_and_the_first_is_right(
    tmp_path: Path, configure: Configure, overrides: list[str], shards: Path, rows: Rows
) -> None:
    for number in range(24):
        write_shard(shards / f"part-{number}.parquet", rows[number::6])
    command = [sys.executable, "-m", "snowcoder", "index", "build", *overrides, "index.workers=1"]
    first = subprocess.Popen(command)
    while not list((tmp_path / "index" / "raw").glob("records/*.json")):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # so that it is surely still at it
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert second.stderr.splitlines()[-1].startswith(
        f"snowcoder: {tmp_path}/index/raw is being built by process {first.pid} on {socket.gethostname()}"
    )
    assert first.wait(120) == 0
    build.run(configure(f"index.dir={tmp_path / 'undisturbed'}"))
    assert tree(tmp_path / "index") == tree(tmp_path / "undisturbed")


def test_workers_hold_the_lock_of_a_killed_build(tmp_path: Path) -> None:
    """They could still write: only when they have ended may the next build begin."""
    (tmp_path / "hold.py").write_text(HOLD_IN_WORKER)
    command = [sys.executable, str(tmp_path / "hold.py"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
        process.wait()
    assert _try(tmp_path / ".lock", shared=False) is None
    os.kill(worker, signal.SIGKILL)
    with build_lock(tmp_path, ALL):
        pass


def test_workers_end_with_a_killed_build(tmp_path: Path, overrides: list[str], shards: Path, rows: Rows) -> None:
    write_shard(shards / "part-0.parquet", rows * 60)
    command = [sys.executable, "-m", "snowcoder", "index", "build", *overrides, "index.workers=1"]
    process = subprocess.Popen(command)
    try:
        while not list((tmp_path / "index" / "raw").glob("train/.shard-00000*.tmp")):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    begun = time.monotonic()
    with build_lock(tmp_path / "index" / "raw", ALL):
        assert time.monotonic() - begun < 20
    assert not (tmp_path / "index" / "raw" / "records" / "shard-00000.json").exists()


@pytest.mark.parametrize("part", ["0/4", "5/4", "4", "1/0", "a/b"])
def test_a_part_that_is_none_is_the_users_mistake(configure: Configure, part: str) -> None:
    with pytest.raises(UserError, match=r"index\.part"):
        configure(f"index.part={part}")


@pytest.mark.parametrize("array", [None, ("3", "16")])
def test_the_job_script_runs_its_part(tmp_path: Path, array: tuple[str, str] | None) -> None:
    """With a command that prints its arguments in the place of snowcoder."""
    stub = tmp_path / "venv" / "bin" / "snowcoder"
    stub.parent.mkdir(parents=True)
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    environment = {**os.environ, "SNOWCODER_VENV": str(tmp_path / "venv"), "SLURM_SUBMIT_DIR": os.getcwd()}
    if array:
        environment |= {"SLURM_ARRAY_TASK_ID": array[0], "SLURM_ARRAY_TASK_COUNT": array[1]}
    command = ["bash", "slurm/index.sh", "raw", "index.workers=2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    part = ["index.part=3/16"] if array else []
    assert done.stdout.split() == ["index", "build", *part, "raw", "index.workers=2"]
