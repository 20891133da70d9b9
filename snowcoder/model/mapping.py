"""Parameters of the megatron-core model and of Hugging Face's Llama, each made from the other.

Both directions go through `RULES`: initialization and import fill a rank's part of a parameter from whole Hugging Face
tensors, export splits whole megatron parameters (one rank's worth) back into them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch

from snowcoder.config.schema import ModelConfig

if TYPE_CHECKING:  # names alone are asked for where no rank is, and megatron-core takes seconds to import
    from snowcoder.model.decoder import Decoder

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
TensorList = list[torch.Tensor]


class TensorParallelPart(NamedTuple):
    """Which tensor-parallel part of a parameter."""

    rank: int
    size: int


class Rule(NamedTuple):
    """How one kind of megatron parameter corresponds to Hugging Face tensors.

    `merge`: whole Hugging Face tensors, [out, in] or [hidden] -> this rank's part of the parameter, of their dtype.
    `split`: the whole parameter -> whole Hugging Face tensors.
    """

    names: tuple[str, ...]  # of the Hugging Face tensors; {i} is the layer
    merge: Callable[[TensorList, ModelConfig, TensorParallelPart], torch.Tensor]
    split: Callable[[torch.Tensor, ModelConfig], TensorList]


def _replicated(tensors: TensorList, model: ModelConfig, part: TensorParallelPart) -> torch.Tensor:
    return tensors[0]


def _rows(tensors: TensorList, model: ModelConfig, part: TensorParallelPart) -> torch.Tensor:
    return tensors[0].chunk(part.size, dim=0)[part.rank]


def _columns(tensors: TensorList, model: ModelConfig, part: TensorParallelPart) -> torch.Tensor:
    return tensors[0].chunk(part.size, dim=1)[part.rank]


def _whole(tensor: torch.Tensor, model: ModelConfig) -> TensorList:
    return [tensor]


def _pad_vocabulary(tensors: TensorList, model: ModelConfig, part: TensorParallelPart) -> torch.Tensor:
    missing = -model.vocab_size % model.pad_vocab_to
    return _rows([torch.nn.functional.pad(tensors[0], (0, 0, 0, missing))], model, part)


def _cut_vocabulary(tensor: torch.Tensor, model: ModelConfig) -> TensorList:
    return [tensor[: model.vocab_size]]


def _merge_qkv(tensors: TensorList, model: ModelConfig, part: TensorParallelPart) -> torch.Tensor:
    # Megatron keeps, for each group of queries, its query heads, then its key head, then its value head.
    groups = [tensor.view(model.kv_heads, -1, model.hidden) for tensor in tensors]
    return _rows([torch.cat(groups, dim=1).reshape(-1, model.hidden)], model, part)


def _split_qkv(tensor: torch.Tensor, model: ModelConfig) -> TensorList:
    head = model.hidden // model.heads
    sizes = [model.heads // model.kv_heads * head, head, head]
    groups = tensor.view(model.kv_heads, -1, model.hidden).split(sizes, dim=1)
    return [group.reshape(-1, model.hidden) for group in groups]


def _merge_gate_up(tensors: TensorList, model: ModelConfig, part: TensorParallelPart) -> torch.Tensor:
    # Each rank holds its part of the gate above its part of the up projection.
    return torch.cat([_rows([tensor], model, part) for tensor in tensors])


def _split_gate_up(tensor: torch.Tensor, model: ModelConfig) -> TensorList:
    return list(tensor.chunk(2))


_LAYER = "model.layers.{i}."
RULES = {
    "embedding.word_embeddings.weight": Rule((EMBEDDING,), _pad_vocabulary, _cut_vocabulary),
    "output_layer.weight": Rule((HEAD,), _pad_vocabulary, _cut_vocabulary),
    "decoder.final_layernorm.weight": Rule(("model.norm.weight",), _replicated, _whole),
    "input_layernorm.weight": Rule((_LAYER + "input_layernorm.weight",), _replicated, _whole),
    "pre_mlp_layernorm.weight": Rule((_LAYER + "post_attention_layernorm.weight",), _replicated, _whole),
    "self_attention.linear_qkv.weight": Rule(
        tuple(f"{_LAYER}self_attn.{name}_proj.weight" for name in "qkv"), _merge_qkv, _split_qkv
    ),
    "self_attention.linear_proj.weight": Rule((_LAYER + "self_attn.o_proj.weight",), _columns, _whole),
    "mlp.linear_fc1.weight": Rule(
        tuple(f"{_LAYER}mlp.{name}_proj.weight" for name in ("gate", "up")), _merge_gate_up, _split_gate_up
    ),
    "mlp.linear_fc2.weight": Rule((_LAYER + "mlp.down_proj.weight",), _columns, _whole),
}
# Transformer Engine fuses a norm into the linear layer that follows it.
RULES["self_attention.linear_qkv.layer_norm_weight"] = RULES["input_layernorm.weight"]
RULES["mlp.linear_fc1.layer_norm_weight"] = RULES["pre_mlp_layernorm.weight"]


def tensor_names(model: ModelConfig) -> list[str]:
    """Names of all Hugging Face tensors of a model. Tied embeddings appear once."""
    texts = sorted({name for rule in RULES.values() for name in rule.names})
    layers = {text: range(model.layers) if text.startswith(_LAYER) else range(1) for text in texts}
    names = [text.format(i=layer) for text in texts for layer in layers[text]]
    return [name for name in names if name != HEAD or not model.tied_embeddings]


def mapped_parameters(chunk: Decoder, model: ModelConfig) -> Iterator[tuple[torch.nn.Parameter, Rule, list[str]]]:
    """Each parameter of a chunk with its rule and the names of its Hugging Face tensors."""
    first = chunk.decoder.layers[0].layer_number - 1 if len(chunk.decoder.layers) else 0
    for name, parameter in chunk.named_parameters():
        found = re.match(r"decoder\.layers\.(\d+)\.(.+)", name)
        rule = RULES[found[2] if found else name]
        names = [text.format(i=first + int(found[1]) if found else None) for text in rule.names]
        if names == [HEAD] and model.tied_embeddings:
            names = [EMBEDDING]  # the last pipeline stage's own copy of the tied embedding
        yield parameter, rule, names


@torch.no_grad()
def load_hugging_face(
    chunk: Decoder, model: ModelConfig, part: TensorParallelPart, get: Callable[[str], torch.Tensor]
) -> None:
    """Fill a chunk's parameters, of which this rank holds `part`, from whole tensors that `get` returns by name.

    Hugging Face's shapes, [out, in] or [hidden], in any dtype: the parameter's own stays.
    """
    for parameter, rule, names in mapped_parameters(chunk, model):
        value = rule.merge([get(name) for name in names], model, part)
        assert value.shape == parameter.shape, (names, value.shape, parameter.shape)
        parameter.copy_(value)


@torch.no_grad()
def to_hugging_face(chunk: Decoder, model: ModelConfig) -> dict[str, torch.Tensor]:
    """Hugging Face tensors of a whole model, held by one rank; on the CPU. Tied embeddings appear once.

    [out, in] or [hidden], in the dtype of the chunk's parameters.
    """
    tensors: dict[str, torch.Tensor] = {}
    for parameter, rule, names in mapped_parameters(chunk, model):
        pieces = rule.split(parameter.detach(), model)
        # Copies: safetensors refuses views that share a parameter's memory.
        tensors.update(zip(names, (piece.to("cpu", copy=True) for piece in pieces), strict=True))
    return tensors
