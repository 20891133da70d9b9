"""Adam of megatron-core over the model chunks, and what a phase may do to it."""

from __future__ import annotations

import math
from typing import Any

import torch
from megatron.core.distributed import DistributedDataParallel, finalize_model_grads
from megatron.core.optimizer import MegatronOptimizer, OptimizerConfig, get_megatron_optimizer
from megatron.core.optimizer.clip_grads import clip_grad_by_total_norm_fp32
from megatron.core.transformer import TransformerConfig

from snowcoder.config.schema import Config
from snowcoder.training.rank.process_groups import agree


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
    transformer.finalize_model_grads_func = finalize_model_grads
    if parallel.overlap:
        no_sync = [chunk.no_sync for chunk in chunks]
        transformer.no_sync_func = no_sync if len(chunks) > 1 else no_sync[0]
    return optimizer


@torch.no_grad()
def update(optimizer: MegatronOptimizer, loss: float, clip: float) -> tuple[bool, float]:
    """Clip the gradients to a norm of `clip` and step; returns whether it did, and their norm before.

    This is megatron-core's ChainedOptimizer.step, but the weights stay as they are if on any rank the loss or the
    norm is not finite.
    """
    optimizer.prepare_grads()
    norm = float(optimizer.get_grad_norm())
    if not agree(math.isfinite(loss) and math.isfinite(norm)):
        return False, norm
    for part in _parts(optimizer):
        clip_grad_by_total_norm_fp32(part.get_parameters(), clip, norm)
    optimizer.step_with_ready_grads()
    return True, norm


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
