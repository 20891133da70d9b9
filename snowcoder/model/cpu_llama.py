"""megatron-core's decoder with what is fast on CPUs: the same parameters, checkpoints and parallel layouts."""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules

from snowcoder.model.cross_entropy import VocabularyPart, linear_cross_entropy
from snowcoder.model.decoder import Decoder
from snowcoder.model.linear import CpuColumnLinear, CpuRowLinear, gathered
from snowcoder.model.versions import mlp_parts


def use_cpu_layers(spec: TransformerBlockSubmodules) -> None:
    """Put our linear layers in the place of megatron-core's."""
    for layer in spec.layer_specs:
        attention, mlp = layer.submodules.self_attention.submodules, mlp_parts(layer)
        attention.linear_qkv = mlp.linear_fc1 = CpuColumnLinear
        attention.linear_proj = mlp.linear_fc2 = CpuRowLinear


class CpuLlama(Decoder):  # type: ignore[misc]  # its library has no types
    def _postprocess(
        self, hidden_states: torch.Tensor, labels: torch.Tensor | None = None, **others: Any
    ) -> torch.Tensor:
        """[s, b, h] and int64 labels [b, s] -> float32 losses [b, s]; else as megatron-core does."""
        if labels is None or not self.post_process:
            out: torch.Tensor = super()._postprocess(hidden_states=hidden_states, labels=labels, **others)
            return out
        shared = self.share_embeddings_and_output_weights
        weight = self.shared_embedding_or_output_weight() if shared else self.output_layer.weight
        group = self.pg_collection.tp
        x = gathered(hidden_states, self.config.sequence_parallel, group)
        part = VocabularyPart(group.rank() * len(weight), group)
        losses = linear_cross_entropy(x.flatten(0, 1), weight, labels.t().flatten(), part)
        return losses.view(x.shape[:2]).t()
