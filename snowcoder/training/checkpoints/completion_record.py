"""Which checkpoints of a run are valid, by their completion records. Needs no torch."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from snowcoder.errors import OperationError
from snowcoder.storage.digest import digest_file, digest_json

RECORD = "COMPLETE.json"
_TYPES = {"name": str, "bytes": int, "digest": str}


def step_folder(folder: Path, step: int) -> Path:
    return folder / f"step-{step:08d}"


def step_of(name: str) -> int | None:
    """The step that a checkpoint of this name is of, if it is such a name."""
    match = re.fullmatch(r"step-(\d{8})", name)
    return int(match[1]) if match else None


def all_steps(folder: Path) -> list[int]:
    """Steps of all checkpoint folders, whole or not, ascending."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:  # not an empty folder: a run must not begin anew for it
        raise OperationError(f"cannot list the checkpoints in {folder}: {error.strerror}") from None
    return sorted(step for name in names if (step := step_of(name)) is not None)


def complete_steps(folder: Path) -> list[int]:
    """Steps of the checkpoints that have a completion record, ascending."""
    return [step for step in all_steps(folder) if os.path.isfile(step_folder(folder, step) / RECORD)]


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with a digest of its own."""
    return {**record, "digest": digest_json(record)}


def read_record(checkpoint: Path) -> dict[str, Any]:
    return json.loads((checkpoint / RECORD).read_text())


def newest_valid(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint whose every file is as its record says, and why newer ones were passed over."""
    passed_over: list[str] = []
    for step in reversed(all_steps(folder)):
        checkpoint = step_folder(folder, step)
        problem = find_damage(checkpoint)
        if problem is None:
            return checkpoint, passed_over
        passed_over.append(f"{checkpoint.name}: {problem}")
    return None, passed_over


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint that has a record, and files of the recorded sizes: a look that takes no time."""
    steps = reversed(all_steps(folder))
    return next((path for step in steps if find_damage(path := step_folder(folder, step), digests=False) is None), None)


def find_damage(checkpoint: Path, digests: bool = True) -> str | None:
    """What is wrong with a checkpoint, or None if all its files are as recorded (`digests`: to the last bit)."""
    try:
        record = read_record(checkpoint)
    except FileNotFoundError:
        return "it has no completion record: its save did not finish"
    except OSError as error:
        return f"its {RECORD} cannot be read ({error.strerror})"
    except (ValueError, RecursionError):
        return f"its {RECORD} cannot be read"
    if fault := find_fault(record, checkpoint.name):
        return fault
    return next((damage for file in record["files"] if (damage := _compare(checkpoint, file, digests))), None)


def find_fault(record: Any, name: str) -> str | None:
    """What is wrong with the record of the checkpoint called `name`, if anything."""
    try:
        files = record["files"]
        well_formed = all(isinstance(file[key], kind) for file in files for key, kind in _TYPES.items())
        names = [file["name"] for file in files] if well_formed else []
        step = record["step"]
    except (KeyError, TypeError, IndexError):
        return f"its {RECORD} cannot be read"
    # A name with a folder in it would reach files that are none of the checkpoint's.
    if not names or any(name != os.path.basename(name) or name in ("", ".", "..") for name in names):
        return f"its {RECORD} cannot be read"
    content = {key: value for key, value in record.items() if key != "digest"}
    if record.get("digest", digest_json(content)) != digest_json(content):  # early records have none
        return f"its {RECORD} has changed since it was saved"
    if step != step_of(name):
        return f"its {RECORD} is of step {step}"
    return None


def _compare(checkpoint: Path, file: dict[str, Any], digests: bool) -> str | None:
    path = checkpoint / file["name"]
    try:
        size = path.stat().st_size
        if size != file["bytes"]:
            return f"{path.name} has {size} bytes instead of {file['bytes']}"
        if digests and digest_file(path) != file["digest"]:
            return f"the bytes of {path.name} have changed since it was saved"
    except FileNotFoundError:
        return f"{path.name} is missing"
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror})"
    return None


def superseded(phase_ends: dict[int, bool | None], keep: int) -> list[int]:
    """Which checkpoints may go: all but the `keep` newest complete ones, ends of phases, and what is newer.

    `phase_ends` says of each step whether it ends a phase; None: it is not complete.
    """
    kept = sorted(step for step, end in phase_ends.items() if end is not None)[-keep:]
    return [
        step for step, end in sorted(phase_ends.items()) if kept and step < kept[-1] and not end and step not in kept
    ]
