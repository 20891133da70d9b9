"""Memory of the fullest rank, estimated from config alone."""

from __future__ import annotations

from typing import NamedTuple

from snowcoder.config.schema import Config
from snowcoder.model.size import parameters


class Memory(NamedTuple):
    """Bytes on the first pipeline stage, which holds the embedding and the most activations in flight."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations


def memory_of_rank(config: Config) -> Memory:
    """After Megatron-LM's theoretical memory report; allocator overhead and collective buffers are not in it."""
    held = _parameters_of_rank(config)
    mixed = config.precision.dtype == "bf16"
    # Adam keeps two fp32 moments, and in bf16 an fp32 copy of the weights; the distributed optimizer splits them.
    shards = config.parallel.data * config.parallel.context if config.parallel.distributed_optimizer else 1
    return Memory(
        weights=held * (2 if mixed else 4),
        gradients=held * (4 if config.precision.gradients_fp32 or not mixed else 2),
        optimizer=held * (12 if mixed else 8) / shards,
        activations=_activations(config),
    )


def _parameters_of_rank(config: Config) -> float:
    count, parallel = parameters(config.model), config.parallel
    alone = parallel.pipeline == 1
    tables = count.tables if alone else 1
    return (count.matrices / parallel.pipeline + tables * count.embedding) / parallel.tensor + count.norms


def _activations(config: Config) -> float:
    """Saved for the backward pass: Korthikanti et al., Reducing Activation Recomputation (2022), with fused
    attention (no s x s matrix saved) and SwiGLU's three matrices; without dropout masks."""
    model, parallel = config.model, config.parallel
    width = 2 if config.precision.dtype == "bf16" else 4
    tokens = parallel.micro_batch * max(p.sequence_length for p in config.phases.values()) / parallel.context
    kv = 2 * model.kv_heads / model.heads
    split = (1 + kv + 1) * model.hidden + 4 * model.ffn  # q, k, v, attention's output; gate, up, product, its input
    whole = 4 * model.hidden  # norms' inputs and outputs, split only by sequence parallelism
    layer = tokens * width * (split / parallel.tensor + whole / (parallel.tensor if parallel.sequence else 1))
    if parallel.recompute == "full":
        layer = tokens * width * model.hidden / (parallel.tensor if parallel.sequence else 1)
    layers = model.layers / parallel.pipeline
    # 1F1B: the first stage holds one micro batch for each stage; interleaving adds a part of one more.
    in_flight = parallel.pipeline + (parallel.pipeline - 1) / parallel.virtual_stages if parallel.virtual_stages > 1 else parallel.pipeline
    logits = tokens * model.vocab_size / parallel.tensor * (width + 4) if parallel.pipeline == 1 else 0.0
    return layer * layers * in_flight + logits
