"""A lock on a file, held by the kernel (flock): freed with the last process that has it open, however that one ends.

So a killed process leaves nothing to clear away. The file says who holds it: host, process, since when.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import reduction
from pathlib import Path
from typing import Any

from snowcoder.errors import UserError

_PATIENCE = 1.0  # seconds: another process may only be looking
_DYING = 60.0  # seconds for what a killed holder has started to end

Holder = dict[str, Any]  # host, pid, since; empty where it has only just begun or ended


class Held:
    """A lock as long as this object, or a copy of it in another process, has its descriptor open."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[object, ...]:  # to a worker, while it is being started
        return _received, (reduction.DupFd(self.descriptor),)


def _received(duplicate: Any) -> Held:
    return Held(duplicate.detach())


def read_holder(path: Path) -> Holder:
    """Who holds the lock, or held it when it was killed."""
    try:
        found: Holder = json.loads(path.read_text())
        return found
    except (OSError, ValueError):
        return {}


def name_holder(holder: Holder) -> str:
    """For a message: process, host, and since when."""
    if not holder:
        return "another process"
    since = f" (since {holder['since']})" if "since" in holder else ""
    return f"process {holder['pid']} on {holder['host']}{since}"


@contextmanager
def locked(
    path: Path,
    busy: Callable[[], UserError | None],
    shared: bool = False,
    holder: Callable[[Path], Holder] = read_holder,
    about: Holder | None = None,
) -> Iterator[Held]:
    """Hold the lock at `path`. Where another process has it, raises what `busy` gives; None: look again.

    `about`: what the file says of the holder besides.
    """
    descriptor = _wait(path, busy, shared, holder)
    try:
        if not shared:
            who = {"host": socket.gethostname(), "pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
            os.truncate(descriptor, 0)
            os.write(descriptor, json.dumps({**who, **(about or {})}).encode())
        yield Held(descriptor)
    finally:
        if not shared and _is_file(descriptor, path):
            path.unlink()
        os.close(descriptor)


def _wait(path: Path, busy: Callable[[], UserError | None], shared: bool, holder: Callable[[Path], Holder]) -> int:
    deadline: float | None = None
    while (descriptor := try_lock(path, shared)) is None:
        deadline = deadline or time.monotonic() + (_DYING if is_dead(holder(path)) else _PATIENCE)
        if time.monotonic() > deadline:
            if error := busy():
                raise error
            deadline = None
        time.sleep(0.05)
    return descriptor


def try_lock(path: Path, shared: bool) -> int | None:
    """A descriptor that holds the lock, or None where another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if _is_file(descriptor, path):  # else its last holder has removed it meanwhile
            return descriptor
    except BlockingIOError:
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # not there, or on a file system without locks
        return False
    return False


def is_dead(holder: Holder) -> bool:
    """Whether its process was of this host, and is no more."""
    if holder.get("host") != socket.gethostname():
        return False
    return not Path("/proc", str(holder["pid"])).exists()
