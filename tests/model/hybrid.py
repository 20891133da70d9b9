"""The model as megatron-core's HybridModel, for which 0.19 deprecates GPTModel: a task of `launch`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from megatron.core.models.hybrid import hybrid_block
from megatron.core.models.hybrid.hybrid_block import HybridStack, HybridStackSubmodules
from megatron.core.models.hybrid.hybrid_model import HybridModel
from megatron.core.ssm.mlp_layer import MLPLayer
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_layer import TransformerLayer, TransformerLayerSubmodules

from snowcoder.config.schema import Config
from snowcoder.model import llama
from snowcoder.training.state import _fill


def compare(config: Config, output: str) -> None:
    """Writes the largest differences of one micro batch's losses and gradients, both models with the same weights."""
    hybrid_block.TENorm = llama.Norm  # the last norm is Transformer Engine's, whatever the spec says
    (ours,) = llama.build_chunks(config, llama.transformer_config(config))
    _fill(config, [ours])
    theirs = hybrid(config)
    pairs = same_weights(ours, theirs)
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(0, config.model.vocab_size, (2, config.model.sequence_length + 1), generator=draw)
    one, other = (losses(model, ids) for model in (ours, theirs))
    gradients = [(a.grad - b.grad).abs().max() / a.grad.abs().max() for a, b in pairs]
    found = {"losses": float((one - other).abs().max()), "gradients": float(max(gradients))}
    Path(output).write_text(json.dumps(found))


def hybrid(config: Config) -> Any:
    """Attention and MLP by turns, each a layer."""
    model = config.model
    parts = llama.layer_spec(llama.transformer_config(config), None).layer_specs[0].submodules
    attention = TransformerLayerSubmodules(
        input_layernorm=parts.input_layernorm, self_attention=parts.self_attention, self_attn_bda=parts.self_attn_bda
    )
    mlp = TransformerLayerSubmodules(pre_mlp_layernorm=parts.pre_mlp_layernorm, mlp=parts.mlp, mlp_bda=parts.mlp_bda)
    layers = HybridStackSubmodules(
        attention_layer=ModuleSpec(module=TransformerLayer, submodules=attention),
        mlp_layer=ModuleSpec(module=MLPLayer, submodules=mlp),
    )
    twice = config.model_copy(update={"model": model.model_copy(update={"layers": 2 * model.layers})})
    return HybridModel(
        config=llama.transformer_config(twice),
        hybrid_stack_spec=ModuleSpec(module=HybridStack, submodules=layers),
        vocab_size=llama.padded_vocabulary(model),
        max_sequence_length=model.sequence_length,
        hybrid_layer_pattern="*-" * model.layers,
        share_embeddings_and_output_weights=model.tied_embeddings,
        position_embedding_type="rope",
        rotary_base=model.rope_theta,
    )


def same_weights(ours: Any, theirs: Any) -> list[tuple[Any, Any]]:
    """Copies them, and returns each parameter with its like."""
    there = dict(theirs.named_parameters())
    pairs = [(parameter, there.pop(hybrid_name(name))) for name, parameter in ours.named_parameters()]
    assert not there
    for one, other in pairs:
        other.data.copy_(one.data)
    return pairs


def hybrid_name(name: str) -> str:
    found = re.match(r"decoder\.layers\.(\d+)\.(.+)", name)
    if found is None:
        return name.replace("final_layernorm", "final_norm")
    return f"decoder.layers.{2 * int(found[1]) + ('mlp' in found[2])}.{found[2]}"


def losses(model: Any, ids: torch.Tensor) -> torch.Tensor:
    positions = torch.arange(ids.shape[1] - 1).expand(len(ids), -1)
    found: torch.Tensor = model(ids[:, :-1], positions, None, labels=ids[:, 1:])
    found.sum().backward()
    return found.detach()
