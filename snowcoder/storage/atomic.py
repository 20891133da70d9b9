"""Files on disk that are there whole or not at all: temporary name, fsync, rename."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snowcoder.errors import OperationError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on leaving without an error it becomes `path`, durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        _fsync(temporary)
        os.replace(temporary, path)
        _fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")


def publish_folder(partial: Path, target: Path) -> None:
    """Put a finished folder in its place, durably.

    What was there stays until the new one is on disk.
    """
    for path in [*partial.rglob("*"), partial]:
        _fsync(path)
    before = target.with_name(f"{target.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if target.exists():
        target.rename(before)
    partial.rename(target)
    _fsync(target.parent)
    shutil.rmtree(before, ignore_errors=True)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """What goes wrong with files on the way becomes one message that says where, and what to do."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room there" if full else "see to it"
        raise OperationError(
            f"{socket.gethostname()}: cannot write in {folder}: {reason}. What is finished stays; "
            f"{remedy} and run the same command again"
        ) from None


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
