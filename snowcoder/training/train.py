"""`snowcoder train`: check everything, freeze the config, start one process a rank, watch them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from snowcoder.config.frozen import to_yaml
from snowcoder.config.schema import Config
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.packages import require
from snowcoder.storage.atomic import write_text
from snowcoder.storage.lock import Held
from snowcoder.training.checkpoints.restore import restore
from snowcoder.training.identity import describe_inputs, tokenizer_digest
from snowcoder.training.inputs import check_inputs
from snowcoder.training.launch import local, slurm
from snowcoder.training.lock import run_lock
from snowcoder.training.may_start import phases_to_run

RESOLVED = "resolved.yaml"


def run(config: Config) -> bool:
    """Train the phases of `run.phases`, from the newest valid checkpoint on. False: the plan has later ones."""
    print("train: checking tokenizer, indexes, plan and checkpoints", flush=True)
    check_inputs(config)
    plan = load_plan(Path(config.plan.dir))
    last = phases_to_run(config, plan)[-1]
    with run_lock(config, describe_inputs(plan, last.first_step + 1, tokenizer_digest(config))) as locks:
        restore(config)
        print(f"train: starting {config.parallel.world_size} rank(s)", flush=True)
        launch("snowcoder.training.train_on_rank:train_on_rank", config, RESOLVED, locks=locks)
    if last is plan.phases[-1]:
        return True
    after = plan.phases[plan.phases.index(last) + 1].name
    print(
        f"{last.name} has ended. Train on with `phase={after}` and the same other arguments, or `snowcoder export` it"
    )
    return False


def launch(target: str, config: Config, resolved: str, *arguments: str, locks: Sequence[Held] = ()) -> None:
    """Run `target` (module:function) on `parallel.world_size` ranks, all reading the frozen config.

    `locks` are held until the last rank has ended.
    """
    if not config.launch.python:
        require("torch", "megatron")
    path = Path(config.run.dir) / resolved
    write_text(path, to_yaml(config))
    python = config.launch.python or [sys.executable]
    command = [*python, "-m", "snowcoder.training.rank.worker", target, str(path), *arguments]
    start = slurm.run_slurm_ranks if config.launch.kind == "slurm" else local.run_local_ranks
    start(command, config, [lock.descriptor for lock in locks])
