"""Which torch and megatron-core wrote a checkpoint, and what to say where older ones cannot read it. Needs no torch."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from packaging.version import Version

from snowcoder.errors import OperationError
from snowcoder.training.checkpoints.completion_record import read_record

_PACKAGES = ("torch", "megatron-core")


def written_by() -> dict[str, str]:
    """The versions here, of the packages whose formats a checkpoint has."""
    return {package: metadata.version(package) for package in _PACKAGES}


def too_old_here(checkpoint: Path, error: BaseException) -> OperationError | None:
    """What to tell of a checkpoint that cannot be read for `error`, if a newer package wrote it; else None.

    Older versions read nothing of newer ones for certain: torch 2.15 writes a field more a tensor than 2.13 takes.
    """
    here, newer = written_by(), newer_than_here(checkpoint)
    if not newer:
        return None
    theirs = " and ".join(f"{package} {version}" for package, version in newer.items())
    ours = " and ".join(f"{package} {here[package]}" for package in newer)
    install = " ".join(f"'{package}>={Version(version).public}'" for package, version in newer.items())
    python = ", with Python 3.12 or newer" if "megatron-core" in newer and sys.version_info < (3, 12) else ""
    return OperationError(
        f"{checkpoint} is not loaded: it was written by a newer version, {theirs}, and {ours} cannot read it "
        f"({_first_line(error)}). Keep it: nothing is wrong with it. Go on where versions as new are "
        f"installed (`pip install {install}`{python})"
    )


def newer_than_here(checkpoint: Path) -> dict[str, str]:
    """Of which packages a newer version wrote a checkpoint: by its record, which may come from anywhere."""
    try:
        wrote = read_record(checkpoint).written_by
        here = {package: Version(version).release for package, version in written_by().items()}
        return {name: wrote[name] for name in here if name in wrote and Version(wrote[name]).release > here[name]}
    except (OSError, ValueError):
        return {}


def _first_line(error: BaseException) -> str:
    return ": ".join(filter(None, (type(error).__name__, *str(error).strip().splitlines()[:1])))[:300]
