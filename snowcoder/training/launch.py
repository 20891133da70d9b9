"""`snowcoder train`: check everything, freeze the config, start one process a rank, watch them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from snowcoder.config.compose import to_yaml
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, SnowcoderError, UserError
from snowcoder.storage.atomic import write_text
from snowcoder.training.inputs import check_inputs

RESOLVED = "resolved.yaml"
GRACE_SECONDS = 30  # for the ranks of a Slurm job that are left when the first one has ended


def run(config: Config) -> None:
    """Train the phases of `run.phases`, from the newest valid checkpoint on."""
    check_inputs(config)
    launch("snowcoder.training.tasks:train", config, RESOLVED)


def launch(task: str, config: Config, resolved: str, *arguments: str) -> None:
    """Run `task` (module:function) on `parallel.world_size` ranks, all reading the frozen config."""
    path = Path(config.run.dir) / resolved
    write_text(path, to_yaml(config))
    command = [sys.executable, "-m", "snowcoder.training.worker", task, str(path), *arguments]
    if config.launch.kind == "slurm":
        _launch_slurm(command, config)
    else:
        _launch_local(command, config)


def _launch_local(command: list[str], config: Config) -> None:
    size = config.parallel.world_size
    common = {
        **os.environ,
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": str(config.launch.threads or max(1, len(os.sched_getaffinity(0)) // size)),
    }
    ranks = [
        subprocess.Popen(command, env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(size)
    ]
    try:
        _watch(ranks)
    finally:
        for process in ranks:
            process.kill()
            process.wait()


def _watch(ranks: list[subprocess.Popen[bytes]]) -> None:
    """Return when all ranks are done; raise as soon as one fails, for the others would wait for it."""
    while True:
        codes = [process.poll() for process in ranks]
        for rank, code in enumerate(codes):
            if code:
                raise _failure(f"rank {rank} on {socket.gethostname()}", code)
        if all(code == 0 for code in codes):
            return
        time.sleep(0.1)


def _failure(who: str, code: int) -> SnowcoderError:
    if code == UserError.exit_code:
        return UserError(f"{who} refused to start, see its message above")
    how = f"was killed by signal {-code}" if code < 0 else f"failed with exit status {code}"
    return OperationError(f"{who} {how}. The same command goes on from the newest valid checkpoint")


def _launch_slurm(command: list[str], config: Config) -> None:
    tasks = os.environ.get("SLURM_NTASKS")
    if tasks is None:
        raise UserError("launch=slurm works inside a Slurm job: use `sbatch slurm/phase1.sh`")
    if int(tasks) != config.parallel.world_size:
        raise UserError(
            f"the job has {tasks} tasks, but tensor x pipeline x context x data of `parallel` is "
            f"{config.parallel.world_size}: set parallel.data, or sbatch --nodes and --ntasks-per-node"
        )
    names = subprocess.run(["scontrol", "show", "hostnames"], capture_output=True, text=True, check=True).stdout.split()
    environment = {
        **os.environ,
        "MASTER_ADDR": names[0],
        "MASTER_PORT": str(20000 + int(os.environ["SLURM_JOB_ID"]) % 20000),
    }
    # All ranks refuse a user's mistake for themselves; killed at once after the first, they would hide its exit code.
    srun = ["srun", "--kill-on-bad-exit=0", f"--wait={GRACE_SECONDS}"]
    code = subprocess.run([*srun, *command], env=environment, check=False).returncode
    if code:
        killed = code - 128  # srun's way to say it
        raise _failure(f"a rank of job {os.environ['SLURM_JOB_ID']}", -killed if killed > 0 else code)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
