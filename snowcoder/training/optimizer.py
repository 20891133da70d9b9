"""Adam of megatron-core over the model chunks, and what a phase may do to it."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from megatron.core.distributed import DistributedDataParallel, finalize_model_grads
from megatron.core.optimizer import MegatronOptimizer, OptimizerConfig, get_megatron_optimizer
from megatron.core.optimizer.clip_grads import clip_grad_by_total_norm_fp32
from megatron.core.transformer import TransformerConfig

from snowcoder.config.schema import Config
from snowcoder.model import platform
from snowcoder.model.versions import gradients_for_norm


def build_optimizer(
    config: Config, transformer: TransformerConfig, chunks: list[DistributedDataParallel]
) -> MegatronOptimizer:
    """The optimizer, wired into the pipeline schedule by `transformer`'s hooks."""
    choice, parallel = config.optimizer, config.parallel
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            optimizer="adam",
            lr=choice.lr,
            min_lr=0.0,
            weight_decay=choice.weight_decay,
            adam_beta1=choice.beta1,
            adam_beta2=choice.beta2,
            adam_eps=choice.eps,
            clip_grad=choice.clip,
            bf16=config.precision.dtype == "bf16",
            params_dtype=transformer.params_dtype,
            use_distributed_optimizer=parallel.distributed_optimizer,
            overlap_param_gather=parallel.overlap,
        ),
        chunks,
        use_gloo_process_groups=False,
    )
    transformer.grad_scale_func = optimizer.scale_loss
    transformer.finalize_model_grads_func = _finish_gradients
    if parallel.overlap:
        no_sync = [chunk.no_sync for chunk in chunks]
        transformer.no_sync_func = no_sync if len(chunks) > 1 else no_sync[0]
    return optimizer


def _finish_gradients(chunks: list[DistributedDataParallel], tokens: Any = None, **more: Any) -> None:
    """As megatron-core does, but not divided by the tokens: for that it would ask all ranks, and wait. See `update`."""
    finalize_model_grads(chunks, None, **more)


@torch.no_grad()
def squared_norm(optimizer: MegatronOptimizer) -> torch.Tensor:
    """This rank's share of the gradient's squared norm, float64 [], on the device: all shares add up to it.

    Called once after the backward pass: it readies the gradients for the optimizer, too.
    """
    optimizer.prepare_grads()
    total = torch.zeros([], dtype=torch.float64, device=platform.device())
    for part in _parts(optimizer):
        copies = dist.get_world_size() / part.get_grad_stats_parallel_group().size()
        for gradient in gradients_for_norm(part):
            # In fp32 torch adds up in one number a lane on CPUs: off by 3e-5 at a million numbers, and more at more.
            total += torch.linalg.vector_norm(gradient, dtype=torch.float64).square() / copies
    return total


@torch.no_grad()
def update(optimizer: MegatronOptimizer, tokens: int, norm: float, clip: float) -> None:
    """Step by the gradient of the mean over `tokens`, of norm `norm`, clipped to a norm of `clip`.

    The gradients are those of the sum. This is the rest of megatron-core's ChainedOptimizer.step, with one pass over
    them that divides and clips.
    """
    for part in _parts(optimizer):
        clip_grad_by_total_norm_fp32(part.get_parameters(), min(norm, clip), norm * tokens)
    optimizer.step_with_ready_grads()


def set_learning_rate(optimizer: MegatronOptimizer, rate: float, weight_decay: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
        group["weight_decay"] = weight_decay * group.get("wd_mult", 1.0)


def reset_state(optimizer: MegatronOptimizer) -> None:
    """Forget Adam's moments and step count, as if no update had been made."""
    for part in _parts(optimizer):
        for group in part.optimizer.param_groups:
            group["step"] = 0
        for state in part.optimizer.state.values():
            for value in state.values():
                if torch.is_tensor(value):
                    value.zero_()


def _parts(optimizer: Any) -> list[Any]:
    return getattr(optimizer, "chained_optimizers", [optimizer])
