"""Which checkpoints of a run are valid, by their completion records. Needs no torch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from snowcoder.lineage.digest import digest_file

RECORD = "COMPLETE.json"


def step_folder(folder: Path, step: int) -> Path:
    return folder / f"step-{step:08d}"


def all_steps(folder: Path) -> list[int]:
    """Steps of all checkpoint folders, whole or not, ascending."""
    names = [re.fullmatch(r"step-(\d{8})", path.name) for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(name[1]) for name in names if name)


def complete_steps(folder: Path) -> list[int]:
    """Steps of the checkpoints that have a completion record, ascending."""
    return [step for step in all_steps(folder) if (step_folder(folder, step) / RECORD).is_file()]


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


def find_damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, or None if all its files are as recorded."""
    try:
        files = read_record(checkpoint)["files"]
    except FileNotFoundError:
        return "it has no completion record: its save did not finish"
    except (ValueError, KeyError):
        return f"its {RECORD} cannot be read"
    for file in files:
        path = checkpoint / file["name"]
        if not path.is_file():
            return f"{path.name} is missing"
        if path.stat().st_size != file["bytes"]:
            return f"{path.name} has {path.stat().st_size} bytes instead of {file['bytes']}"
        if digest_file(path) != file["digest"]:
            return f"the bytes of {path.name} have changed since it was saved"
    return None
