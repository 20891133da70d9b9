"""Whatever layout saved a model, its export is the same, and the gate lets nothing else pass."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from snowcoder.errors import OperationError
from snowcoder.export.parity import TOLERANCE, check_parity

Weights = dict[str, torch.Tensor]
NORM = "model.layers.1.input_layernorm.weight"
QUERY, KEY = (f"model.layers.2.self_attn.{name}_proj.weight" for name in "qk")


@pytest.mark.parametrize("layout", ["tp1", "tp2sp", "pp2", "pp2vpp2", "tp2pp2"])
def test_every_layout_gives_back_the_imported_tensors_bit_for_bit(runs: dict[str, Path], layout: str) -> None:
    shards = list((runs[layout] / "origin").glob("*.safetensors"))
    assert len(shards) > 1
    imported = {name: value for shard in shards for name, value in load_file(shard).items()}
    exported = load_file(runs[layout] / "exported" / "model.safetensors")
    assert exported.keys() == imported.keys()
    for name, tensor in imported.items():
        assert exported[name].dtype == tensor.dtype
        assert torch.equal(exported[name], tensor), name


@pytest.mark.parametrize("layout", ["tp1", "tp2sp", "pp2", "pp2vpp2", "tp2pp2"])
def test_every_layout_answers_as_transformers_does(runs: dict[str, Path], layout: str) -> None:
    report = check_parity(runs[layout] / "exported", runs[layout] / "reference")
    assert [prompt.tokens for prompt in report.prompts] == [1, 2, 7, 32, 64]
    assert all(prompt.decided > 0 for prompt in report.prompts)
    assert report.largest <= TOLERANCE / 2


def swap_query_and_key(weights: Weights, config: dict[str, object]) -> None:
    weights[QUERY], weights[KEY] = weights[KEY], weights[QUERY]


def drop_norm(weights: Weights, config: dict[str, object]) -> None:
    weights[NORM] = torch.ones_like(weights[NORM])


def permute_heads(weights: Weights, config: dict[str, object]) -> None:
    weights[QUERY] = weights[QUERY].roll(16, dims=0)


def change_theta(weights: Weights, config: dict[str, object]) -> None:
    config["rope_theta"] = config["rope_parameters"]["rope_theta"] = 500000.0  # type: ignore[index]


def change_epsilon(weights: Weights, config: dict[str, object]) -> None:
    config["rms_norm_eps"] = 1e-3


def leave_padding_rows(weights: Weights, config: dict[str, object]) -> None:
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        weights[name] = torch.nn.functional.pad(weights[name], (0, 0, 0, 12))
    config["vocab_size"] = 512


def leave_padding_rows_of_weights_alone(weights: Weights, config: dict[str, object]) -> None:
    leave_padding_rows(weights, {})


def lose_a_tensor(weights: Weights, config: dict[str, object]) -> None:
    del weights["model.layers.3.mlp.up_proj.weight"]


def add_a_tensor(weights: Weights, config: dict[str, object]) -> None:
    weights["model.layers.4.mlp.up_proj.weight"] = torch.ones(3)


def spoil_a_number(weights: Weights, config: dict[str, object]) -> None:
    weights[NORM][0] = float("nan")


FAULTS = {
    swap_query_and_key: r"the prompt of \d+ tokens, position \d+: a logit differs from .* by \d",
    drop_norm: "a logit differs",
    permute_heads: "a logit differs",
    change_theta: "a logit differs",
    change_epsilon: "a logit differs",
    leave_padding_rows: r"gives logits \[1, 512\], the trained model \[1, 500\]",
    leave_padding_rows_of_weights_alone: "cannot be loaded by transformers",
    lose_a_tensor: "missing keys.*layers.3.mlp.up_proj",
    add_a_tensor: "unexpected keys.*layers.4.mlp.up_proj",
    spoil_a_number: "a logit differs from .* by nan",
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_the_gate_finds(
    plant: Callable[[Weights, dict[str, object]], None], runs: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "exported"
    shutil.copytree(runs["pp2vpp2"] / "exported", folder)
    weights = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    plant(weights, config)
    save_file(
        {name: tensor.contiguous() for name, tensor in weights.items()},
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(OperationError, match=FAULTS[plant]):
        check_parity(folder, runs["pp2vpp2"] / "reference")


def test_the_gate_does_not_pass_without_a_reference(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="holds no logits"):
        check_parity(runs["tp1"] / "exported", tmp_path)
