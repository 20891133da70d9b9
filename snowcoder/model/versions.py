"""Where the versions of megatron-core that snowcoder supports differ, 0.16.1 to 0.19: each difference once.

What is but an argument more, which older versions do not give, is taken where it is given.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

_ADVICE = (
    "torch.utils.cpp_extension",  # of torch's CUDA build without a GPU; imported since 0.19
    "megatron.core.models.gpt.gpt_model",  # since 0.19: that GPTModel is deprecated
    "megatron.core.distributed.distributed_data_parallel",  # since 0.19: to lay out its buffers beforehand
    "megatron.core.dist_checkpointing.strategies.torch",  # since 0.17: that its own way of saving is
)


def mlp_parts(layer: Any) -> Any:
    """The linear layers of a layer's MLP in its spec: since 0.18 a partial function, before a spec itself."""
    mlp = layer.submodules.mlp
    return mlp.keywords["submodules"] if isinstance(mlp, partial) else mlp.submodules


def gradients_for_norm(optimizer: Any) -> list[Any]:
    """Those that no other rank counts: since 0.19 under another name."""
    get = getattr(optimizer, "get_main_grads_for_grad_norm", None) or optimizer.get_grads_for_grad_norm
    found: list[Any] = get()
    return found


def part_of_context_rank(batch: dict[str, Any]) -> dict[str, Any]:
    """This rank's two of the 2n parts of each sequence, tensors [b, s, ...] of any dtype.

    Since 0.18 with an argument more, and without a group all ranks of the run would share a sequence.
    """
    from megatron.core import parallel_state
    from megatron.core.utils import get_batch_on_this_cp_rank

    more = {"is_hybrid_cp": False} if _takes(get_batch_on_this_cp_rank, "is_hybrid_cp") else {}
    part: dict[str, Any] = get_batch_on_this_cp_rank(
        batch, cp_group=parallel_state.get_context_parallel_group(), **more
    )
    return part


def async_strategy() -> tuple[str, ...]:
    """What a save is asked for besides: since 0.17 its default is a package of its own, nvidia-resiliency-ext."""
    from megatron.core.dist_checkpointing.strategies.torch import TorchDistSaveShardedStrategy

    return ("mcore",) if _takes(TorchDistSaveShardedStrategy.async_save, "async_strategy") else ()


def without_results_queue() -> None:
    """megatron-core asks for its queue with each plan, and starts a process that serves it. Nobody here uses it."""
    from megatron.core.dist_checkpointing.strategies import filesystem_async

    for name in ("_get_write_results_queue", "get_write_results_queue"):  # since 0.17 without the underscore
        if hasattr(filesystem_async, name):
            setattr(filesystem_async, name, lambda: None)


def quiet_advice() -> None:
    """Advice on what snowcoder has decided."""
    for name in _ADVICE:
        logging.getLogger(name).setLevel(logging.ERROR)


def _takes(function: Callable[..., Any], argument: str) -> bool:
    return argument in inspect.signature(function).parameters
