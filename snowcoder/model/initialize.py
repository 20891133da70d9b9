"""Initial weights as a function of seed and parameter name: the same in every parallel layout."""

from __future__ import annotations

import math

import torch
import xxhash

from snowcoder.config.schema import ModelConfig


def initial_tensor(name: str, model: ModelConfig, seed: int) -> torch.Tensor:
    """The initial value of the Hugging Face tensor `name`, whole, fp32 [out, in] or [hidden], on the CPU.

    Norms are ones, the rest normal; projections into the residual stream are scaled down by sqrt(2 x layers), as in
    GPT-2 and Megatron.
    """
    shape = tensor_shape(name, model)
    if "norm" in name:
        return torch.ones(shape)
    std = model.init_std
    if name.endswith(("o_proj.weight", "down_proj.weight")):
        std /= math.sqrt(2 * model.layers)
    generator = torch.Generator().manual_seed(xxhash.xxh3_64_intdigest(f"{seed}/{name}".encode()) >> 1)
    return torch.empty(shape).normal_(0.0, std, generator=generator)


def tensor_shape(name: str, model: ModelConfig) -> tuple[int, ...]:
    """Shape of the Hugging Face tensor `name`."""
    head = model.hidden // model.heads
    key = name.split(".")[-2]
    return {
        "embed_tokens": (model.vocab_size, model.hidden),
        "lm_head": (model.vocab_size, model.hidden),
        "q_proj": (model.hidden, model.hidden),
        "k_proj": (model.kv_heads * head, model.hidden),
        "v_proj": (model.kv_heads * head, model.hidden),
        "o_proj": (model.hidden, model.hidden),
        "gate_proj": (model.ffn, model.hidden),
        "up_proj": (model.ffn, model.hidden),
        "down_proj": (model.hidden, model.ffn),
    }.get(key, (model.hidden,))
