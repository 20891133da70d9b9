"""One training a folder: who holds the lock is named, and no killed one is in the way of the next."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.storage import lock as storage_lock
from snowcoder.storage.lock import read_holder
from snowcoder.training.lock import run_lock
from tests.tiny import tiny_overrides

# A launcher with one rank, which has the lock open too, and outlives it.
HOLD = """
import subprocess, sys
from snowcoder.config.compose import load_config
from snowcoder.training.lock import run_lock
with run_lock(load_config(sys.argv[1:]), {"inputs": {}}) as locks:
    rank = subprocess.Popen(["sleep", "60"], pass_fds=[lock.descriptor for lock in locks], start_new_session=True)
    print(rank.pid, flush=True)
    rank.wait()
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    return load_config(tiny_overrides(tmp_path))


@contextmanager
def training(folder: Path, **slurm: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Another launcher, and its rank's process id."""
    command = [sys.executable, "-c", HOLD, *tiny_overrides(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **slurm}) as launcher:
        assert launcher.stdout
        rank = int(launcher.stdout.readline())
        yield launcher, rank
        launcher.kill()
        with suppress(ProcessLookupError):
            os.kill(rank, signal.SIGKILL)


def test_the_other_is_named_and_a_killed_one_is_in_nobodys_way(tmp_path: Path, config: Config) -> None:
    with training(tmp_path, SLURM_JOB_ID="7") as (launcher, rank):
        who = (
            rf"is being trained by process {launcher.pid} on {socket.gethostname()} \(since 20.*Z\), job 7: wait until"
        )
        with pytest.raises(UserError, match=who), run_lock(config, {}):
            pass
        os.kill(launcher.pid, signal.SIGKILL)
        launcher.wait()
        assert storage_lock.try_lock(RunFolder(tmp_path).lock, shared=False) is None  # its rank may still write
        os.kill(rank, signal.SIGKILL)
        with run_lock(config, {"inputs": {"tokenizer": "t"}}):
            assert read_holder(RunFolder(tmp_path).lock)["inputs"] == {"tokenizer": "t"}
        assert not (RunFolder(tmp_path).lock).exists()
    os.waitpid(rank, 0) if False else None


def test_a_requeued_job_is_not_held_up_by_its_earlier_start(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its node may be gone, and a file server may hold its lock for minutes."""
    with training(tmp_path, SLURM_JOB_ID="7", SLURM_RESTART_COUNT="1") as (launcher, _):
        for job, start in (("8", "2"), ("7", "1")):
            monkeypatch.setenv("SLURM_JOB_ID", job)
            monkeypatch.setenv("SLURM_RESTART_COUNT", start)
            with pytest.raises(UserError, match=f"process {launcher.pid} on"), run_lock(config, {}):
                pass
        monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
        with run_lock(config, {}):
            assert json.loads((RunFolder(tmp_path).lock).read_text())["start"] == 2


def test_a_file_system_without_locks_is_a_warning(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(storage_lock.fcntl, "flock", refuse)
    with run_lock(config, {}) as locks:
        assert locks == []
    assert "has no locks: mind that no other training runs there" in capsys.readouterr().out
