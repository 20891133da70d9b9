"""What of a folder's tensors would be lost or spoiled if a Llama of ours took them: all of it, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch

from snowcoder.config.schema import ModelConfig
from snowcoder.model.initialize import tensor_shape
from snowcoder.model.mapping import EMBEDDING, HEAD, tensor_names
from snowcoder.pretrained.damage import shorten
from snowcoder.pretrained.tensors import Tensors

_PLAIN = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}
_IGNORED = ".rotary_emb.inv_freq"  # a function of rope_theta, which old versions of transformers saved
# Why there is no place for a tensor, by what its name has; the first that fits.
_SURPLUS = {
    r"lora_|\.base_layer\.|modules_to_save": "of an adapter: merge it into the model (PEFT's merge_and_unload)",
    r"scale|qweight|qzeros|g_idx|absmax|zero_point|quant": "of quantized weights: dequantize the model",
    r"\.bias$": "and snowcoder's Llama has no biases",
    r"[qk]_(layer)?norm": "and snowcoder's Llama has no norms of queries and keys",
}


def misfits(tensors: Tensors, model: ModelConfig, dtype: torch.dtype) -> Iterator[str]:
    """What speaks against taking the folder's tensors for those of `model`, in `dtype`; a line each."""
    found = {name for name in tensors.names if not name.endswith(_IGNORED)}
    expected = _expected(model, found)
    if other := _other_prefix(found, expected, model):
        yield other
        return
    yield from _surplus(found - expected, model)
    if expected - found and not tensors.problems:  # else they may be in what is damaged
        yield f"it lacks {shorten(expected - found)}: it is not a whole Llama of {model.layers} layers"
    known = sorted(found & expected)
    yield from _not_plain(tensors, known)
    yield from _other_shapes(tensors, known, model)
    readable = [name for name in known if tensors.dtype(name) in _PLAIN]
    spoiled = [name for name in readable if not _is_finite(tensors.get(name), dtype)]
    if spoiled:
        yield f"{shorten(spoiled)}: not all numbers are finite as {_name(dtype)} (there are NaN or infinite ones)"
    if model.tied_embeddings and {EMBEDDING, HEAD} <= {*readable} - {*spoiled} and not _are_equal(tensors, dtype):
        yield (
            f"its {HEAD} is not its {EMBEDDING}, although config.json ties them: set model.tied_embeddings=false "
            "to take both"
        )


def dtypes(tensors: Tensors) -> str:
    """Of the weights of a folder without misfits, as text."""
    return ", ".join(sorted({_PLAIN[tensors.dtype(name)] for name in tensors.names if not name.endswith(_IGNORED)}))


def stored_as(name: str, tensors: Tensors, model: ModelConfig) -> str:
    """Under which name a folder without misfits has the tensor `name`."""
    only_head = name == EMBEDDING and model.tied_embeddings and EMBEDDING not in tensors.names
    return HEAD if only_head else name


def _expected(model: ModelConfig, found: set[str]) -> set[str]:
    """A model with tied embeddings may have the one matrix under either name, or under both."""
    names = set(tensor_names(model))
    if model.tied_embeddings and HEAD in found:
        names.add(HEAD)
        if EMBEDDING not in found:
            names.remove(EMBEDDING)
    return names


def _other_prefix(found: set[str], expected: set[str], model: ModelConfig) -> str:
    """Empty, unless the names are those of a Llama in something else, or of one without its head."""
    bare = EMBEDDING.removeprefix("model.")
    other = next((name for name in sorted(found) if name.endswith(bare)), None)
    if other is None or (found & expected) - {HEAD}:
        return ""
    text = f"it has {other}, where a LlamaForCausalLM has {EMBEDDING}, and so with all names"
    if other != bare:
        return f"{text}: rename them, or save the LlamaForCausalLM that is in it"
    if HEAD not in found and not model.tied_embeddings:
        return f"{text}: it was saved as a LlamaModel, without its {HEAD}. Import the whole model"
    return f"{text}: load it as a LlamaForCausalLM in transformers, and save that"


def _surplus(names: set[str], model: ModelConfig) -> Iterator[str]:
    kinds: dict[str, list[str]] = {}
    for name in sorted(names):
        why = next((why for pattern, why in _SURPLUS.items() if re.search(pattern, name)), "")
        kinds.setdefault(why or f"which a Llama of {model.layers} layers (by config.json) has no place for", []).append(
            name
        )
    for why, group in kinds.items():
        yield f"it has {shorten(group)}, {why}"


def _not_plain(tensors: Tensors, names: list[str]) -> Iterator[str]:
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(tensors.dtype(name), []).append(name)
    for dtype in sorted(kinds.keys() - _PLAIN.keys()):
        yield (
            f"{shorten(kinds[dtype])}: of dtype {dtype}, and only {', '.join(_PLAIN.values())} are taken: "
            "dequantize the model"
        )


def _other_shapes(tensors: Tensors, names: list[str], model: ModelConfig) -> Iterator[str]:
    kinds: dict[str, list[str]] = {}
    for name in names:
        there, wanted = tensors.shape(name), tensor_shape(name, model)
        if there != wanted:
            kinds.setdefault(f"{[*there]}, by config.json it is {[*wanted]}", []).append(name)
    for shapes, group in kinds.items():
        yield f"{shorten(group)}: of shape {shapes}"


def _is_finite(tensor: torch.Tensor, dtype: torch.dtype) -> bool:
    """By its extremes, which NaN is one of: no copy is made. What a wider type holds may be infinite in `dtype`."""
    return tensor.numel() == 0 or bool(torch.stack(tensor.aminmax()).to(dtype).isfinite().all())


def _are_equal(tensors: Tensors, dtype: torch.dtype) -> bool:
    return torch.equal(tensors.get(HEAD).to(dtype), tensors.get(EMBEDDING).to(dtype))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
