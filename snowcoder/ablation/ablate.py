"""`snowcoder ablate ablation=NAME`: makes every variant of an ablation, compares their models, and draws a table.

A stage that is up to date does nothing, so that a killed ablation goes on where it was. A variant that fails does not
stop the others.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

from snowcoder.ablation.start import begin_with, find_start
from snowcoder.ablation.table import ablation_table
from snowcoder.ablation.variants import EVALUATION, Variant, comparison, folder_of, make_variants
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, UserError
from snowcoder.packages import require
from snowcoder.storage.atomic import write_text

FIGURE = "figure.svg"


def run(overrides: list[str], how: str = "") -> None:
    """`how` "dry": print each variant's commands, to be run by hand, such as `sbatch slurm/phase2.sh` for `train`."""
    if how not in ("", "dry"):
        raise UserError(f"usage: snowcoder ablate [dry] [key=value ...]; got {how!r}")
    config, variants = make_variants(overrides)
    assert config.ablation
    if config.ablation.baseline and how != "dry":
        require("matplotlib")  # before hours are spent
    start = find_start(config)
    if start:
        for variant in variants:
            begin_with(start, variant.folder)
    failed = [] if how == "dry" else [variant.name for variant in variants if not _make(variant)]
    compare = comparison(config, [variant for variant in variants if variant.name not in failed], overrides)
    if how == "dry":
        print("\n".join(_line(command) for variant in variants for command in variant.commands))
        print("\n".join(_line(command) for command in compare))
    elif not all(_stage(command) for command in compare):
        failed.append("the comparison")
    elif compare:
        _draw(config)
    path = folder_of(config) / "table.md"
    write_text(path, ablation_table(variants))
    print(f"\n{path.read_text()}\nablation: {path}")
    if failed:
        raise OperationError(f"these variants failed, see above; the same command does them again: {', '.join(failed)}")


def _draw(config: Config) -> None:
    """The comparison's bits per byte, where it measured any."""
    from snowcoder.ablation.figure import plot_changes

    assert config.ablation
    assert config.ablation.baseline
    folder = folder_of(config)
    # Named here, for the modules of `evaluate` want packages that a figure does not.
    changes = json.loads((folder / EVALUATION / "results.json").read_text())["changes"]["bits_per_byte"]
    if changes:
        write_text(folder / FIGURE, plot_changes(changes, config.ablation.baseline))
        print(f"ablation: {folder / FIGURE}")


def _make(variant: Variant) -> bool:
    """Whether all its stages ended well; after one that does not, none is begun."""
    print(f"\n# {variant.name}", flush=True)
    return all(_stage(command) for command in variant.commands)


def _stage(command: list[str]) -> bool:
    print(f"$ {_line(command)}", flush=True)
    return subprocess.run([sys.executable, "-m", "snowcoder", *command], check=False).returncode == 0


def _line(command: list[str]) -> str:
    return shlex.join(["snowcoder", *command])
