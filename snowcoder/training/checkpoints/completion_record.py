"""Which checkpoints of a run are valid, by their completion records. Needs no torch."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from pydantic import ValidationError

from snowcoder.errors import OperationError
from snowcoder.storage.digest import digest_file
from snowcoder.training.checkpoints.checkpoint_record import CheckpointFile, CheckpointRecord, sealed

RECORD = "COMPLETE.json"


class Damaged(Exception):
    """Says what is wrong with a checkpoint."""


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


def read_record(checkpoint: Path) -> CheckpointRecord:
    """Raises `OSError`, or `ValueError` where what is there is no record."""
    return CheckpointRecord.model_validate_json((checkpoint / RECORD).read_bytes())


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
        record = check_record((checkpoint / RECORD).read_bytes(), checkpoint.name)
    except FileNotFoundError:
        return "it has no completion record: its save did not finish"
    except OSError as error:
        return f"its {RECORD} cannot be read ({error.strerror})"
    except Damaged as damaged:
        return str(damaged)
    return next((damage for file in record.files if (damage := _compare(checkpoint, file, digests))), None)


def check_record(data: bytes, name: str) -> CheckpointRecord:
    """The record of the checkpoint called `name`. Raises `Damaged`."""
    try:
        record, content = CheckpointRecord.model_validate_json(data), json.loads(data)
    except ValidationError as error:
        raise Damaged(f"its {RECORD} cannot be read ({_first(error)})") from None
    if not record.files:
        raise Damaged(f"its {RECORD} cannot be read (it names no files)")
    digest = sealed({key: value for key, value in content.items() if key != "digest"})["digest"]
    if content.get("digest", digest) != digest:  # early records have none
        raise Damaged(f"its {RECORD} has changed since it was saved")
    if record.step != step_of(name):
        raise Damaged(f"its {RECORD} is of step {record.step}")
    return record


def _first(error: ValidationError) -> str:
    """What is wrong first, and where: `files.0.bytes: Input should be a valid integer`."""
    first = error.errors()[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))


def _compare(checkpoint: Path, file: CheckpointFile, digests: bool) -> str | None:
    path = checkpoint / file.name
    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"{path.name} has {size} bytes instead of {file.bytes}"
        if digests and digest_file(path) != file.digest:
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
