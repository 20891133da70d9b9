"""`snowcoder init`: writes the job scripts of Slurm and a recipe to edit into a folder, beside what is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from snowcoder.errors import UserError
from snowcoder.shipped import shipped

_RECIPE = "conf/recipe/mine.yaml"
_NEXT = f"""
next, in {{folder}}:
  edit {_RECIPE}, then
  snowcoder config check recipe=mine    # what is wrong with it
  snowcoder plan recipe=mine            # what the run will take
On a cluster, edit slurm/environment.sh (modules, network, where Python is), then
  snowcoder doctor recipe=mine launch=slurm phase=phase1
  sbatch slurm/phase1.sh recipe=mine"""


def run(folder: str) -> None:
    """Write `folder`, which may be there. Raises UserError, before anything is written, where a file is in the way."""
    target, files = Path(folder), _files()
    if there := [name for name in files if os.path.lexists(target / name)]:
        names = f"{', '.join(there[:3])}{' ...' if len(there) > 3 else ''}"
        raise UserError(f"{target} has {names} already; nothing was written: name another folder, or move them away")
    for name, source in files.items():
        try:
            _write(target / name, source)
        except OSError as error:
            raise UserError(f"{target / name} cannot be written: {error.strerror}") from None
    print(f"init: {target} has the job scripts of Slurm in slurm/ and a recipe, {_RECIPE}")
    print(_NEXT.format(folder=target))


def _files() -> dict[str, Path]:
    """What is written, and the file that it is a copy of."""
    scripts = sorted(shipped("slurm").glob("*.sh"))
    return {f"slurm/{path.name}": path for path in scripts} | {_RECIPE: Path(__file__).with_name("mine.yaml")}


def _write(path: Path, source: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:  # never over a file that has come meanwhile
        file.write(source.read_bytes())
    shutil.copymode(source, path)
