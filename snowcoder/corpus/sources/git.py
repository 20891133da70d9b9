"""A git repository, working tree or bare: the tree of its HEAD, by git's plumbing."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from snowcoder.corpus.sources.paths import decode_name
from snowcoder.corpus.sources.repository import BadRepository, File, Gate
from snowcoder.errors import UserError

_CHUNK = 1 << 20
_MEMORY = 4 << 30  # of a git process: a small object may be kept as the difference from one of any size
_MISSING = "objects are missing or damaged"
# The repository's own config is read by git and must not make it do anything: nothing is fetched, by no protocol,
# no object stands in for another, and no config of this machine changes what is read.
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


def git_folder(path: Path) -> Path | None:
    """The folder of a repository's objects: `path` itself if it is bare, its .git, or None.

    A .git that is a file or a link is none: it may lead anywhere.
    """
    for folder in (path / ".git", path):
        if folder.is_symlink() and folder.name == ".git":
            continue
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
            return folder
    return None


def _leads_elsewhere(folder: Path) -> bool:
    """Whether git would read what lies in other folders, which may hold anybody's code."""
    borrowed = (folder / "commondir", folder / "objects" / "info" / "alternates")
    with os.scandir(folder) as entries:
        return any(path.exists() for path in borrowed) or any(entry.is_symlink() for entry in entries)


class GitRepository:
    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.revision = ""

    def files(self, gate: Gate) -> Iterator[File]:
        if _leads_elsewhere(self.folder):
            raise BadRepository("shares objects with another repository; a `git clone --no-local` of it is whole")
        with self._git(gate, "rev-parse", "--verify", "HEAD^{commit}") as (_, found):
            self.revision = found.read().decode().strip()
        with (
            self._git(gate, "ls-tree", "-rzl", "--full-tree", self.revision) as (_, tree),
            self._git(gate, "cat-file", "--batch") as (ask, answer),
        ):
            for mode, kind, object_id, size, path in _entries(tree):
                if kind != "blob" or mode == "120000":
                    gate.drop("symbolic link" if kind == "blob" else "submodule")
                elif admitted := gate.admit(path):
                    if not size.isdigit():
                        raise BadRepository(_MISSING)
                    if int(size) > gate.max_file_bytes:
                        yield File(admitted, None, "too long")
                    else:
                        data = _blob(ask, answer, object_id)
                        gate.spend(len(data))
                        yield File(admitted, data)
            ask.close()

    @contextmanager
    def _git(self, gate: Gate, *arguments: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """A git process's stdin and stdout. Raises `BadRepository` where it fails or takes too long."""
        environment = {**_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath), "GIT_DIR": str(self.folder)}
        pipe = subprocess.PIPE
        if (git := shutil.which("git")) is None:
            raise UserError("reading git repositories takes git, and it is not installed")
        # By a shell: set from here, the limit would come when git has begun.
        limited = ["sh", "-c", 'ulimit -d "$0" && exec "$@"', str(_MEMORY >> 10), git, *arguments]
        process = subprocess.Popen(
            limited, env=environment, cwd="/", stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
        minutes = gate.limits.git_minutes
        timer = threading.Timer(minutes * 60, process.kill)
        timer.start()
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdin, process.stdout
            if process.wait():
                what = f"within {minutes:g} minutes" if process.returncode == -9 else f"(git {arguments[0]} failed)"
                raise BadRepository(f"git cannot read it {what}")
        except BrokenPipeError:
            raise BadRepository(f"git cannot read it (git {arguments[0]} ended early)") from None
        finally:
            timer.cancel()
            process.kill()
            process.stdout.close()
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()


def _entries(tree: IO[bytes]) -> Iterator[tuple[str, str, str, str, str]]:
    """Mode, kind, object, size and path of each line of `git ls-tree -zl`."""
    rest = b""
    while chunk := tree.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\0")
        for line in lines:
            facts, _, path = line.partition(b"\t")
            mode, kind, object_id, size = facts.decode().split()
            yield mode, kind, object_id, size, decode_name(path)


def _blob(ask: IO[bytes], answer: IO[bytes], object_id: str) -> bytes:
    ask.write(f"{object_id}\n".encode())
    ask.flush()
    header = answer.readline().split()
    if len(header) != 3:
        raise BadRepository(_MISSING)
    size = int(header[2])
    data = answer.read(size + 1)
    if len(data) != size + 1:
        raise BadRepository(_MISSING)
    return data[:-1]
