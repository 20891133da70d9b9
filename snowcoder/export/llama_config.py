"""The config as Hugging Face has it, and what of a Hugging Face config contradicts ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from transformers import GenerationConfig, LlamaConfig

from snowcoder.config.schema import ModelConfig, PrecisionConfig
from snowcoder.errors import UserError

# LlamaConfig's name of each key of `model`.
_NAMES = {
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "ffn": "intermediate_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "vocab_size": "vocab_size",
    "sequence_length": "max_position_embeddings",
    "tied_embeddings": "tie_word_embeddings",
    "norm_eps": "rms_norm_eps",
    "init_std": "initializer_range",
}
# What a Llama may have and ours does not.
_FIXED = {"model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False}


def to_llama(model: ModelConfig, precision: PrecisionConfig, special: dict[str, Any]) -> dict[str, Any]:
    """The content of config.json. `special` holds bos_token_id, eos_token_id and pad_token_id."""
    config = LlamaConfig(
        architectures=["LlamaForCausalLM"],
        **{theirs: getattr(model, ours) for ours, theirs in _NAMES.items()},
        rope_parameters={"rope_type": "default", "rope_theta": model.rope_theta},
        dtype="bfloat16" if precision.dtype == "bf16" else "float32",
        **special,
    )
    content = config.to_diff_dict()
    # transformers before 5 looks for these names.
    return {**content, "rope_theta": model.rope_theta, "torch_dtype": content["dtype"]}


def to_generation(special: dict[str, Any]) -> dict[str, Any]:
    """The content of generation_config.json."""
    return GenerationConfig(**special).to_diff_dict()


def unsupported(llama: Any) -> Iterator[str]:
    """Each thing that a Hugging Face config has and no Llama of ours can have."""
    for key, expected in _FIXED.items():
        if (found := getattr(llama, key, expected)) != expected:
            yield f"its {key} is {found!r}; snowcoder's Llama can only have {expected!r}"
    if llama.model_type != "llama":
        return
    if (rope := llama.rope_parameters["rope_type"]) != "default":
        yield f"its positions are scaled ({rope}), which snowcoder's Llama does not do"
    if llama.head_dim * llama.num_attention_heads != llama.hidden_size:
        yield f"its heads have {llama.head_dim} dimensions; snowcoder's Llama has hidden / heads"


def quantization(llama: Any) -> Iterator[str]:
    for key in ("quantization_config", "compression_config"):
        if found := getattr(llama, key, None):
            method = found.get("quant_method", found.get("format", "")) if isinstance(found, dict) else found
            yield (
                f"config.json has {key} ({method}): its weights are quantized. Dequantize the model "
                "(model.dequantize() in transformers), save that, and import it"
            )


def to_model(llama: Any, ours: ModelConfig) -> ModelConfig:
    """The model that a Hugging Face config describes. Raises UserError where it describes none."""
    theirs = {key: getattr(llama, name) for key, name in _NAMES.items() if key != "init_std"}
    try:
        return ModelConfig(**{**ours.model_dump(), **theirs, "rope_theta": llama.rope_parameters["rope_theta"]})
    except ValidationError as error:
        keys = [(str(each["loc"][0]), each["msg"]) for each in error.errors()]
        wrong = "; ".join(f"{_NAMES.get(key, key)}: {text}" for key, text in keys)
        raise UserError(f"config.json is wrong: {wrong}") from None


def model_differences(theirs: ModelConfig, ours: ModelConfig) -> Iterator[str]:
    """Each contradiction between two models, and what to set."""
    for key, value in theirs.model_dump().items():
        if value != getattr(ours, key):
            yield f"model.{key} is {getattr(ours, key)}: set model.{key}={str(value).lower()}"
