"""`snowcoder train`: check everything, freeze the config, start one process a rank, watch them."""

from __future__ import annotations

import sys
from pathlib import Path

from snowcoder.config.compose import to_yaml
from snowcoder.config.schema import Config
from snowcoder.storage.atomic import write_text
from snowcoder.training import local, slurm
from snowcoder.training.callbacks.trackers import check_packages
from snowcoder.training.inputs import check_inputs
from snowcoder.training.restore import restore

RESOLVED = "resolved.yaml"


def run(config: Config) -> None:
    """Train the phases of `run.phases`, from the newest valid checkpoint on."""
    check_inputs(config)
    check_packages(config)
    restore(config)
    print(f"train: starting {config.parallel.world_size} rank(s)", flush=True)
    launch("snowcoder.training.tasks:train", config, RESOLVED)


def launch(task: str, config: Config, resolved: str, *arguments: str) -> None:
    """Run `task` (module:function) on `parallel.world_size` ranks, all reading the frozen config."""
    path = Path(config.run.dir) / resolved
    write_text(path, to_yaml(config))
    command = [sys.executable, "-m", "snowcoder.training.worker", task, str(path), *arguments]
    start = slurm.run_ranks if config.launch.kind == "slurm" else local.run_ranks
    start(command, config)
