"""The models that the training benchmark compares with, each with the same weights: (token ids, labels) -> mean loss.

Runs in an environment of its own, which has no snowcoder. Model and loss of each are its library's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from benchmarks.training_shapes import BETAS, CLIP, EPSILON, VOCABULARY, WEIGHT_DECAY, Shape

Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def transformers(folder: Path, shape: Shape, compiled: bool) -> tuple[torch.nn.Module, Forward]:
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").train()
    run = torch.compile(model) if compiled else model
    return model, lambda ids, labels: run(input_ids=ids, labels=labels, shift_labels=labels, use_cache=False).loss


def litgpt(folder: Path, shape: Shape, compiled: bool) -> tuple[torch.nn.Module, Forward]:
    from litgpt.config import Config
    from litgpt.model import GPT
    from litgpt.scripts.convert_hf_checkpoint import copy_weights_hf_llama
    from litgpt.utils import chunked_cross_entropy

    config = Config(
        name="benchmark",
        block_size=shape.sequence,
        vocab_size=VOCABULARY,
        padded_vocab_size=VOCABULARY,
        n_layer=shape.layers,
        n_head=shape.heads,
        n_embd=shape.hidden,
        n_query_groups=shape.kv_heads,
        intermediate_size=shape.ffn,
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        norm_class_name="RMSNorm",
        norm_eps=1e-5,
        mlp_class_name="LLaMAMLP",
        rope_base=10000,
    )
    model, state = GPT(config), dict[str, torch.Tensor]()
    copy_weights_hf_llama(config, {}, state, load_file(folder / "model.safetensors"))
    model.load_state_dict(state)
    model.transformer.wte.weight = model.lm_head.weight
    model.max_seq_length = shape.sequence
    run = torch.compile(model) if compiled else model
    return model, lambda ids, labels: chunked_cross_entropy(run(ids), labels)


def olmo_core(folder: Path, shape: Shape, compiled: bool) -> tuple[torch.nn.Module, Forward]:
    from olmo_core.nn.feed_forward import FeedForwardConfig
    from olmo_core.nn.transformer import TransformerConfig

    model: Any = TransformerConfig.llama_like(
        d_model=shape.hidden,
        vocab_size=VOCABULARY,
        n_layers=shape.layers,
        n_heads=shape.heads,
        n_kv_heads=shape.kv_heads,
        rope_theta=10000,
        layer_norm_eps=1e-5,
        feed_forward=FeedForwardConfig(hidden_size=shape.ffn, bias=False),
    ).build(init_device="cpu")
    model.init_weights(max_seq_len=shape.sequence, device=torch.device("cpu"))
    tensors = load_file(folder / "model.safetensors")
    model.load_state_dict({name: tensors[_hugging_face(name)] for name in model.state_dict()})
    model.lm_head.w_out.weight = model.embeddings.weight
    if compiled:
        model.apply_compile()
    return model, lambda ids, labels: model(ids, labels=labels).loss


def _hugging_face(name: str) -> str:
    """OLMo-core's name of a parameter -> that of Hugging Face."""
    names = {
        "embeddings.weight": "model.embed_tokens.weight",
        "lm_head.norm.weight": "model.norm.weight",
        "lm_head.w_out.weight": "model.embed_tokens.weight",
        "attention.w_q.weight": "self_attn.q_proj.weight",
        "attention.w_k.weight": "self_attn.k_proj.weight",
        "attention.w_v.weight": "self_attn.v_proj.weight",
        "attention.w_out.weight": "self_attn.o_proj.weight",
        "feed_forward.w1.weight": "mlp.gate_proj.weight",
        "feed_forward.w2.weight": "mlp.down_proj.weight",
        "feed_forward.w3.weight": "mlp.up_proj.weight",
        "attention_norm.weight": "input_layernorm.weight",
        "feed_forward_norm.weight": "post_attention_layernorm.weight",
    }
    if not name.startswith("blocks."):
        return names[name]
    _, layer, rest = name.split(".", 2)
    return f"model.layers.{layer}.{names[rest]}"


PEERS = {"transformers": transformers, "litgpt": litgpt, "olmo-core": olmo_core}


def losses(folder: Path, shape: Shape, dtype: str, side: str) -> Iterator[float]:
    """The loss of each step, in as plain a loop as a user writes; bf16 is autocast, as all three have it."""
    name, _, how = side.partition("+")
    model, forward = PEERS[name](folder / "hf", shape, how == "compile")
    optimizer = torch.optim.AdamW(_groups(model), lr=1.0, betas=BETAS, eps=EPSILON, fused=True)
    rates = np.load(folder / "rates.npy")
    for rows, rate in zip(np.load(folder / "batches.npy", mmap_mode="r"), rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        parts, total = torch.from_numpy(rows.astype(np.int64)).split(shape.micro_batch), 0.0
        for part in parts:
            with torch.autocast("cpu", torch.bfloat16) if dtype == "bf16" else nullcontext():
                loss = forward(part[:, :-1].contiguous(), part[:, 1:].contiguous())
            (loss / len(parts)).backward()
            total += loss.item() / len(parts)
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        yield total


def _groups(model: torch.nn.Module) -> list[dict[str, Any]]:
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    norms = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    return [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": norms, "weight_decay": 0.0}]
