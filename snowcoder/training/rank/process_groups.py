"""Process groups: who this rank is, and megatron-core's tensor, pipeline, context and data parallel groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from megatron.core import parallel_state, tensor_parallel

from snowcoder.config.schema import Config
from snowcoder.model import platform
from snowcoder.model.mapping import TensorParallelPart

T = TypeVar("T")


@contextmanager
def process_groups(config: Config) -> Iterator[None]:
    """Join the run's process groups, as RANK, WORLD_SIZE, LOCAL_RANK and MASTER_* in the environment say."""
    _use_device(config)
    timeout = timedelta(minutes=config.launch.timeout_minutes)
    dist.init_process_group(platform.backend(), timeout=timeout)
    divide_ranks(config)
    yield  # after an error the process just ends: to leave the groups in order takes all ranks
    dist.barrier()
    parallel_state.destroy_model_parallel()
    dist.destroy_process_group()


def divide_ranks(config: Config) -> None:
    """Make megatron-core's groups of the layout in `config`, and its random states."""
    parallel = config.parallel
    parallel_state.initialize_model_parallel(
        parallel.tensor,
        parallel.pipeline,
        parallel.virtual_stages if parallel.virtual_stages > 1 else None,
        context_parallel_size=parallel.context,
        distributed_timeout_minutes=config.launch.timeout_minutes,
        create_gloo_process_groups=False,
    )
    tensor_parallel.model_parallel_cuda_manual_seed(config.run.seed)


def _use_device(config: Config) -> None:
    local_rank, local_size = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if platform.ON_CPU:
        cores = len(os.sched_getaffinity(0))
        torch.set_num_threads(config.launch.threads or max(1, cores // local_size))
    else:
        torch.cuda.set_device(local_rank)


def tensor_part() -> TensorParallelPart:
    """Which part of each parameter this rank holds."""
    return TensorParallelPart(
        parallel_state.get_tensor_model_parallel_rank(), parallel_state.get_tensor_model_parallel_world_size()
    )


def agree(value: bool) -> bool:
    """Whether `value` holds on every rank."""
    flag = torch.tensor(int(value), device=platform.device())
    dist.all_reduce(flag, dist.ReduceOp.MIN)
    return bool(flag.item())


def on_rank_0(look: Callable[[], T]) -> T:
    """Rank 0's answer, on every rank: a shared file system may show files to them at different times."""
    answer: list[Any] = [look() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(answer, src=0)
    found: T = answer[0]
    return found


def counts_loss() -> bool:
    """Whether this rank's loss enters the global sum: one rank per data-parallel and context-parallel part."""
    found: bool = (
        parallel_state.is_pipeline_last_stage(ignore_virtual=True)
        and parallel_state.get_tensor_model_parallel_rank() == 0
    )
    return found
