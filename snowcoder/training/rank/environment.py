"""What a rank learns from its environment: torch's variables, or Slurm's, which are turned into torch's."""

from __future__ import annotations

import ctypes
import os
import signal

from snowcoder.errors import UserError

_FROM_SLURM = {
    "RANK": "SLURM_PROCID",
    "WORLD_SIZE": "SLURM_NTASKS",
    "LOCAL_RANK": "SLURM_LOCALID",
    "LOCAL_WORLD_SIZE": "SLURM_NTASKS_PER_NODE",
}


def name_rank() -> int:
    """Make sure that RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE are set; returns the rank."""
    for name, slurm in _FROM_SLURM.items():
        if name not in os.environ:
            if slurm not in os.environ:
                raise UserError(f"{name} is not set: start ranks by `snowcoder train`, or by srun in a Slurm job")
            os.environ[name] = os.environ[slurm]
    return int(os.environ["RANK"])


def die_with_parent() -> None:
    """Ask Linux to end this process when its launcher dies, so that no rank is left holding a device."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
