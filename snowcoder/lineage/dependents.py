"""What rests on a tokenizer, an index or a plan: checkpoints of runs, and trainings that are going on.

Known are those of the run at hand, and of runs beside, above and below it that read from the same folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from snowcoder.errors import UserError
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.storage.lock import is_held, name_holder, read_holder

_CHECKPOINTS = "train/checkpoints/step-*/COMPLETE.json"


class Dependent(NamedTuple):
    who: str
    record: dict[str, Any]  # of a checkpoint, or what a training's lock says, which has `inputs` and `phases` too


def refuse_change(run: str, folder: Path, what: str, digest: str) -> None:
    """Raise `UserError` where something rests on what `folder` holds: `what` of this digest, as records name it."""
    for dependent in find_dependents(Path(run), folder):
        if _names(dependent.record, what, digest):
            kind = what.partition(" ")[0]
            raise UserError(
                f"{folder} holds the {kind} that {dependent.who} rests on: it is not overwritten by another one. "
                f"Set another {kind}.dir, and another run.dir for what is trained with it; or, if that training is not "
                "wanted, remove its `train` folder"
            )


def find_dependents(run: Path, folder: Path) -> Iterator[Dependent]:
    """Of `run`, whatever it reads, and of other runs near that read from `folder`."""
    seen = set()
    for other in _runs_near(run, folder):
        if (place := other.resolve()) in seen:
            continue
        seen.add(place)
        if place == run.resolve() or _reads(place, folder.resolve()):
            yield from _of_run(other)


def _runs_near(run: Path, folder: Path) -> Iterator[Path]:
    yield run
    yield from folder.resolve().parents
    yield from (path.parent for path in (run / "ablations").glob("*/*/train"))
    yield from (path.parent for path in run.parent.glob("*/train"))


def _reads(run: Path, folder: Path) -> bool:
    """Whether the folder is the run's own, or its frozen config names it; an index's lies in the one it names."""
    if run in folder.parents:
        return True
    try:
        config = yaml.load(RunFolder(run).resolved.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        named = {Path(config[group]["dir"]).resolve() for group in ("tokenizer", "index", "plan")}
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return False
    return folder in named or folder.parent in named


def _of_run(run: Path) -> Iterator[Dependent]:
    for path in sorted(run.glob(_CHECKPOINTS), reverse=True):
        try:
            record = json.loads(path.read_text())
        except (OSError, ValueError, RecursionError):  # damaged: no checkpoint, or being removed
            continue
        if isinstance(record, dict):
            yield Dependent(f"the checkpoint {path.parent}", record)
    lock = RunFolder(run).lock
    if is_held(lock):
        holder = read_holder(lock)
        yield Dependent(f"the training of {run}, {name_holder(holder)},", holder)


def _names(record: dict[str, Any], what: str, digest: str) -> bool:
    if "inputs" in record:
        found: bool = record["inputs"].get(what) == digest
        return found
    # A record of an earlier version names sources, but no digests.
    used = {source for sources in record.get("ledger", {}).values() for source in sources}
    return bool(used) and (what == "tokenizer" or what.removeprefix("index ") in used)
