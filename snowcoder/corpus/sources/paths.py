"""Paths inside a repository, which come from whoever made it."""

from __future__ import annotations

import re

_MAX = 4096  # bytes, as Linux has it
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def decode_name(name: bytes) -> str:
    """Names in a repository need not be UTF-8; those in a shard must be."""
    return name.decode(errors="replace")


def safe_path(name: str) -> str | None:
    """A path without `.` and empty parts; None for one that leads outside or that no shard should hold."""
    parts = re.split(r"[/\\]", name)  # archives made on Windows use both
    outside = name[:1] in ("/", "\\") or ".." in parts or _DRIVE.match(name)
    if outside or _CONTROL.search(name) or len(name.encode(errors="replace")) > _MAX:
        return None
    return "/".join(part for part in name.split("/") if part not in ("", ".")) or None


def is_hidden(path: str) -> bool:
    """Whether it lies in a folder that tools fill, not people."""
    return any(part == "__pycache__" or part[0] == "." for part in path.split("/")[:-1])
