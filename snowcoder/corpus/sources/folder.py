"""A folder of code."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from snowcoder.corpus.sources.paths import decode_name
from snowcoder.corpus.sources.repository import File, Gate

_VERSION_CONTROL = {".git", ".hg", ".svn"}


class Folder:
    revision = ""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path

    def files(self, gate: Gate) -> Iterator[File]:
        for root, folders, names in os.walk(self.path, onerror=lambda _: gate.drop("unreadable")):
            for name in folders:
                if Path(root, name).is_symlink():  # os.walk does not follow it
                    gate.drop("symbolic link")
            folders[:] = sorted(name for name in folders if name not in _VERSION_CONTROL)
            for name in sorted(names):
                yield from _read(Path(root, name), self.path, gate)


def _read(file: Path, folder: Path, gate: Gate) -> Iterator[File]:
    fault = _kind(file)
    if fault:
        gate.drop(fault)
    elif path := gate.admit(decode_name(os.fsencode(file.relative_to(folder).as_posix()))):
        try:
            # Whatever it has become meanwhile: no link is followed, no pipe waited for.
            with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
                data = opened.read(gate.max_file_bytes + 1)
        except OSError:
            yield File(path, None, "unreadable")
            return
        gate.spend(len(data))
        yield File(path, None, "too long") if len(data) > gate.max_file_bytes else File(path, data)


def _kind(file: Path) -> str | None:
    """Why a path is not a file to read, or None."""
    try:
        mode = file.lstat().st_mode
    except OSError:
        return "unreadable"
    if stat.S_ISLNK(mode):
        return "symbolic link"
    return None if stat.S_ISREG(mode) else "device or pipe"
