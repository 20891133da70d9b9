"""What every tracker can do, and how it finds its run again."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from snowcoder.storage.atomic import write_text

# What a tracker is told about the run. Not `notify`: its command may hold the address of a private channel.
SECTIONS = {"run", "model", "phases", "parallel", "precision", "optimizer", "packing", "guard"}
CLOSE_SECONDS = 20.0  # well below the silence after which a rank counts as lost


class Tracker(Protocol):
    def log(self, scalars: dict[str, float], step: int) -> None: ...

    def rewind(self, step: int) -> None:
        """The steps after `step` will come again."""

    def close(self) -> None: ...


def remembered(path: Path, project: str) -> str | None:
    """The tracker's name of this run, if it was made in the same project."""
    words = path.read_text().splitlines() if path.is_file() else []
    return words[1] if len(words) == 2 and words[0] == project else None


def remember(path: Path, project: str, number: str) -> None:
    write_text(path, f"{project}\n{number}\n")
