"""A rank's environment: what it learns from it, by torch's variables or Slurm's, and what it sets for CUDA."""

from __future__ import annotations

import ctypes
import os
import signal

from snowcoder.config.schema import Config
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


def memory_environment() -> dict[str, str]:
    """What glibc reads as a process starts, for who starts ranks: memory in pages of 2 MiB where Linux has them.

    Activations are freed and made anew all the time; a CPU spends 2 to 4% of a step on getting them in pages of 4 KiB.
    """
    return {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def tune_cuda(config: Config) -> None:
    """Set what CUDA, torch, NCCL and Transformer Engine read once as they start; what is set already stays.

    To be called before torch is imported. Without CUDA nobody reads any of it.
    """
    if "PYTORCH_ALLOC_CONF" in os.environ:  # the name of newer versions
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", os.environ["PYTORCH_ALLOC_CONF"])
    for name, value in cuda_environment(config).items():
        os.environ.setdefault(name, value)


def cuda_environment(config: Config) -> dict[str, str]:
    """As in Megatron-Bridge's recipes for H100 and B200; docs/scaling.md says what each should bring."""
    found = {
        "CUDA_DEVICE_MAX_CONNECTIONS": str(_connections(config)),
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",  # no memory lost between segments
        "TORCH_NCCL_HIGH_PRIORITY": "1",  # a collective need not wait for kernels that were queued before it
    }
    if config.parallel.overlap:
        # Norms take all multiprocessors, and would wait for the collective that runs beside them to leave its own.
        found |= {f"NVTE_{way}_LAYERNORM_SM_MARGIN": "16" for way in ("FWD", "BWD")}
    return found


def _connections(config: Config) -> int:
    """Queues between host and device.

    Up to Hopper, with a single one kernels start in the order of their calls, so that a tensor or context parallel
    collective begins before the matrix product that is to hide it. Data parallel ones run better with more.
    """
    if config.precision.fp8 == "mxfp8":  # Blackwell
        return 32
    return 1 if config.parallel.tensor > 1 or config.parallel.context > 1 else 8
