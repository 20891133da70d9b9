"""Memory of the fullest rank, estimated from config alone.

After megatron.training.theoretical_memory_usage and Korthikanti et al., Reducing Activation
Recomputation in Large Transformer Models (2022). Left out: the allocator's overhead, buffers of
collectives, and the padding rows of the vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

from snowcoder.config.schema import Config
from snowcoder.model.size import count_parameters


class Memory(NamedTuple):
    """Bytes on the first pipeline stage: it has an embedding and most micro batches in flight."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations


def memory_of_rank(config: Config) -> Memory:
    held, parallel = _parameters_of_rank(config), config.parallel
    mixed = config.precision.dtype == "bf16"
    # Adam keeps two fp32 moments and, in bf16, an fp32 copy of the weights.
    shards = parallel.data * parallel.context if parallel.distributed_optimizer else 1
    return Memory(
        weights=held * (2 if mixed else 4) + _fp8_copies(config),
        gradients=held * (4 if config.precision.gradients_fp32 or not mixed else 2),
        optimizer=held * (12 if mixed else 8) / shards,
        activations=_activations(config),
    )


def _parameters_of_rank(config: Config) -> float:
    """Matrices are split over tensor and pipeline ranks; norms are small and counted whole."""
    count, parallel = count_parameters(config.model), config.parallel
    tables = count.tables if parallel.pipeline == 1 else 1
    matrices = count.matrices / parallel.pipeline + tables * count.embedding
    return matrices / parallel.tensor + count.norms


def _fp8_copies(config: Config) -> float:
    """Transformer Engine keeps the matrices of the layers in fp8 too, each as it is and transposed, a byte a number."""
    parallel = config.parallel
    matrices = count_parameters(config.model).matrices / parallel.pipeline / parallel.tensor
    return 0 if config.precision.fp8 == "none" else 2 * matrices


def _activations(config: Config) -> float:
    """What is saved for the backward pass by fused kernels: no s x s matrix, q, k and v once."""
    model, parallel = config.model, config.parallel
    longest = max(phase.sequence_length for phase in config.phases.values())
    tokens = parallel.micro_batch * longest / parallel.context
    width = 2 if config.precision.dtype == "bf16" else 4
    layers = model.layers / parallel.pipeline * _in_flight(config)
    # The input of a layer: all that full recomputation keeps, but for the layer it is working on.
    kept = model.hidden / (parallel.tensor if parallel.sequence else 1)
    if parallel.recompute == "full":
        values = layers * kept + _values_of_layer(config)
    else:
        values = layers * _values_of_layer(config)
    # Where input and output share a stage: logits, which the fused loss overwrites with their gradient.
    logits = model.vocab_size / parallel.tensor * width if parallel.pipeline == 1 else 0
    return tokens * (values * width + logits)


def _values_of_layer(config: Config) -> float:
    """Numbers that one layer saves for each token."""
    model, parallel = config.model, config.parallel
    norms = 4 * model.hidden  # inputs and outputs of two norms; sequence parallelism splits them
    attention = 2 * model.hidden * (1 + model.kv_heads / model.heads)  # q, output, k, v
    swiglu = 3 * model.ffn  # gate, up, and the next product's input
    whole = norms / (parallel.tensor if parallel.sequence else 1)
    return whole + (attention + swiglu) / parallel.tensor


def _in_flight(config: Config) -> float:
    """Micro batches whose activations the first stage holds in the 1F1B schedule."""
    pipeline, chunks = config.parallel.pipeline, config.parallel.virtual_stages
    return pipeline if chunks == 1 else pipeline + (pipeline - 1) / chunks
