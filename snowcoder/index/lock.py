"""Who builds a source's index: one whole build, or several of different parts, never two of the same shards.

Locks are the kernel's (flock): it frees them with the last process that holds them, so that a killed build leaves
nothing to clear away. Workers hold the locks of their build too: none is free while one of them may still write.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import reduction
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder.errors import UserError

_WHOLE = ".lock"  # held by a whole build alone, or shared by parts
_PATIENCE = 1.0  # seconds: another process may only be looking
_DYING = 60.0  # seconds for the workers of a killed build to end


class Part(NamedTuple):
    """`index.part`: of every `of` shards, in their order, the one at `number` (from 1)."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Part:
        number, of = text.split("/")
        return cls(int(number), int(of))

    @property
    def is_all(self) -> bool:
        return self.of == 1

    @property
    def lock(self) -> str:
        return f"{_WHOLE}-{self.number}-of-{self.of}"


ALL = Part(1, 1)


class Busy(UserError):
    """Another process builds what this one should."""


class Held:
    """A lock as long as this object, or a copy of it in another process, has its descriptor open."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[object, ...]:  # to a worker, while it is being started
        return _received, (reduction.DupFd(self.descriptor),)


def _received(duplicate: Any) -> Held:
    return Held(duplicate.detach())


def is_lock(path: Path) -> bool:
    return path.name == _WHOLE or path.name.startswith(f"{_WHOLE}-")


@contextmanager
def build_lock(folder: Path, part: Part) -> Iterator[list[Held]]:
    """The right to write the shards of `part` into `folder`. Raises `Busy`, naming who has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if part.is_all:
            whole = stack.enter_context(_locked(folder / _WHOLE))
            _remove_left_over(folder)
            yield [whole]
        else:
            shared = stack.enter_context(_locked(folder / _WHOLE, shared=True))
            own = stack.enter_context(_locked(folder / part.lock))
            for path in folder.glob(f"{_WHOLE}-*"):
                if not path.name.endswith(f"-of-{part.of}") and _is_held(path):
                    raise _busy(path)
            yield [own, shared]


def _remove_left_over(folder: Path) -> None:
    """Files of parts that were killed; not of one that is just being refused."""
    for path in folder.glob(f"{_WHOLE}-*"):
        if (descriptor := _try(path, shared=False)) is not None:
            path.unlink()
            os.close(descriptor)


@contextmanager
def _locked(path: Path, shared: bool = False) -> Iterator[Held]:
    deadline: float | None = None
    while (descriptor := _try(path, shared)) is None:
        deadline = deadline or time.monotonic() + (_DYING if _is_dead(_holder(path)) else _PATIENCE)
        if time.monotonic() > deadline:
            raise _busy(path)
        time.sleep(0.05)
    try:
        if not shared:
            os.truncate(descriptor, 0)
            os.write(descriptor, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
        yield Held(descriptor)
    finally:
        if not shared:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _try(path: Path, shared: bool) -> int | None:
    """A descriptor that holds the lock, or None where another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):  # held; or its last holder has removed it meanwhile
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _holder(path: Path) -> dict[str, object]:
    """Host and process id of one that holds a lock; empty where it has only just begun or ended."""
    parts = path.parent.glob(f"{_WHOLE}-*") if path.name == _WHOLE else ()  # where shared, it is by parts
    try:
        return json.loads(next(filter(_is_held, parts), path).read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _is_dead(holder: dict[str, object]) -> bool:
    if holder.get("host") != socket.gethostname():
        return False
    return not Path("/proc", str(holder["pid"])).exists()


def _busy(path: Path) -> Busy:
    holder = _holder(path)
    who = f"process {holder['pid']} on {holder['host']}" if holder else "another process"
    return Busy(
        f"{path.parent} is being built by {who}: wait until it is done or stop it. "
        "Of an index, different parts (index.part=1/4, 2/4, ...) may be built side by side"
    )
