"""`snowcoder import FOLDER`: a Hugging Face Llama becomes the checkpoint that a run starts from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snowcoder.config.schema import Config, ModelConfig
from snowcoder.errors import UserError
from snowcoder.training.completion import all_steps
from snowcoder.training.launch import launch


def run(config: Config, folder: str) -> None:
    """Write the checkpoint of step 0 in the config's layout. Raises `UserError` listing what does not fit."""
    problems = _mismatches(_read_config(Path(folder)), config.model)
    if problems:
        lines = "\n".join(f"  {text}" for text in problems)
        raise UserError(f"{folder} does not fit the config:\n{lines}")
    checkpoints = Path(config.run.dir) / "train" / "checkpoints"
    if all_steps(checkpoints):
        raise UserError(f"{checkpoints} holds checkpoints already: import into a new run.dir")
    launch("snowcoder.export.load:run", config, "import.yaml", str(Path(folder).resolve()))
    print(f"imported {folder} as step 0 of {config.run.dir}")


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "config.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder} is not a Hugging Face folder: it has no config.json") from None


def _mismatches(there: dict[str, Any], model: ModelConfig) -> list[str]:
    if there.get("model_type") != "llama":
        return [f"it is a model of type {there.get('model_type')!r}; only 'llama' can be imported"]
    rope = there.get("rope_parameters") or there.get("rope_scaling") or {}
    expected = {
        "layers": there["num_hidden_layers"],
        "hidden": there["hidden_size"],
        "ffn": there["intermediate_size"],
        "heads": there["num_attention_heads"],
        "kv_heads": there.get("num_key_value_heads", there["num_attention_heads"]),
        "vocab_size": there["vocab_size"],
        "sequence_length": there["max_position_embeddings"],
        "tied_embeddings": there.get("tie_word_embeddings", False),
        "norm_eps": there["rms_norm_eps"],
        "rope_theta": rope.get("rope_theta", there.get("rope_theta", 10000.0)),
    }
    problems = [
        f"set model.{key}={value} (now {getattr(model, key)})" for key, value in expected.items() if getattr(model, key) != value
    ]
    if there.get("attention_bias") or there.get("mlp_bias"):
        problems.append("it has biases, which this architecture does not")
    if rope.get("rope_type", "default") != "default":
        problems.append(f"its positions are scaled ({rope['rope_type']}), which is not supported")
    return problems
