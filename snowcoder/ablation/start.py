"""Where variants part: each begins with the last checkpoint of a phase that is trained once."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.storage.atomic import publish_folder
from snowcoder.training.checkpoints.completion_record import find_damage, step_folder


def find_start(config: Config) -> Path | None:
    """The checkpoint at the end of `ablation.start_after`, in `run.dir`. Raises UserError where it is not."""
    assert config.ablation
    name = config.ablation.start_after
    if name is None:
        return None
    phase = next(phase for phase in load_plan(Path(config.plan.dir)).phases if phase.name == name)
    checkpoint = step_folder(RunFolder.of(config).checkpoints, phase.last_step)
    if problem := find_damage(checkpoint):
        raise UserError(
            f"the variants go on from the end of {name}, but {checkpoint}: {problem}. "
            f"`snowcoder train phase={name}` with this run.dir makes it"
        )
    return checkpoint


def begin_with(checkpoint: Path, folder: Path) -> None:
    """Make it the first checkpoint of the run in `folder`. Files are linked: a checkpoint never changes."""
    target = RunFolder(folder).checkpoints / checkpoint.name
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".starting-", dir=target.parent) as partial:
        copy = shutil.copytree(checkpoint, Path(partial) / checkpoint.name, copy_function=_link)
        publish_folder(Path(copy), target)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)
