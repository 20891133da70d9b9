"""Free space and the right to write where index, plan, checkpoints and the exported model go."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.doctor.finding import Finding, phases_of
from snowcoder.planning.disk import DiskNeed, needs

_COMFORT = 1.5  # times what is needed: below that, a warning


def disk_findings(config: Config) -> Iterator[Finding]:
    """One finding a file system."""
    systems: dict[int, list[DiskNeed]] = {}
    for need in needs(config, phases_of(config)):
        systems.setdefault(existing(need.folder).stat().st_dev, []).append(need)
    for there in systems.values():
        yield _check_system(there)


def _check_system(there: list[DiskNeed]) -> Finding:
    """`there`: what goes to one file system."""
    missing = {need: need.missing for need in there}
    for need in there:
        if missing[need] and (reason := refused(existing(need.folder))):
            text = f"cannot write in {existing(need.folder)}: {reason}; set {need.key}"
            return Finding("problem", "disk", text)
    folder = min((existing(need.folder) for need in there), key=lambda folder: len(folder.parts))
    free, needed = shutil.disk_usage(folder).free, sum(missing.values())
    text = f"{readable.size(free)} free in {folder}; {readable.size(needed)} are still needed{_what_for(missing)}"
    if free >= needed:
        return Finding("warning" if free < _COMFORT * needed else "ok", "disk", text)
    keys = list(dict.fromkeys(need.key for need in there if missing[need]))
    return Finding("problem", "disk", f"{text}: make room, lower checkpoint.keep, or set {' or '.join(keys)}")


def _what_for(missing: dict[DiskNeed, float]) -> str:
    parts = [f"{readable.size(size)} for {need.what}" for need, size in missing.items() if size]
    parts += [f"not counted, for its size is not known: {need.what}" for need in missing if need.bytes is None]
    return f" ({'; '.join(parts)})" if parts else ""


def refused(folder: Path) -> str | None:
    """Why nothing can be written in a folder, or None."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".snowcoder-doctor-"):
            return None
    except OSError as error:
        return error.strerror


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())
