"""Sizes that follow from the model's shape: parameters, FLOPs a token."""

from __future__ import annotations

from typing import NamedTuple

from snowcoder.config.schema import ModelConfig


class Parameters(NamedTuple):
    matrices: int  # of the layers, used in matrix products once a token
    embedding: int  # one vocabulary x hidden table
    norms: int
    tables: int  # 1 if input and output share the table, else 2

    @property
    def total(self) -> int:
        return self.matrices + self.norms + self.tables * self.embedding


def count_parameters(model: ModelConfig) -> Parameters:
    """Parameters without the padding rows of the vocabulary."""
    head = model.hidden // model.heads
    attention = 2 * model.hidden * model.hidden + 2 * model.hidden * model.kv_heads * head
    layer = attention + 3 * model.hidden * model.ffn
    return Parameters(
        matrices=model.layers * layer,
        embedding=model.vocab_size * model.hidden,
        norms=(2 * model.layers + 1) * model.hidden,
        tables=1 if model.tied_embeddings else 2,
    )


def flops_per_token(model: ModelConfig, sequence_length: int, causal: bool) -> float:
    """Forward and backward, without recomputation.

    6 x parameters in matrix products (the output table included), and attention's 12 x layers x
    hidden x sequence, halved where only the causal half is counted, as Megatron does since 0.13.
    """
    count = count_parameters(model)
    attention = 12 * model.layers * model.hidden * sequence_length
    return 6 * (count.matrices + count.embedding) + (attention / 2 if causal else attention)
