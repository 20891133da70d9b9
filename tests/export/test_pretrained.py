"""Models of others are loaded whole, or refused in one line: transformers alone would make up what is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from snowcoder.errors import UserError
from snowcoder.model.mapping import EMBEDDING, HEAD
from snowcoder.pretrained.load import load_whole
from snowcoder.pretrained.tensors import INDEX, WEIGHTS

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 123\n"
UP = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    sizes = {"num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=32, tie_word_embeddings=True)).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def edit(folder: Path, plant: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / WEIGHTS)
    plant(weights)
    save_file(weights, folder / WEIGHTS, {"format": "pt"})


def configure(folder: Path, **changes: object) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, **changes}))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pointer": (lambda f: (f / WEIGHTS).write_text(POINTER), "model.safetensors is a git-lfs pointer"),
    "cut": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-9]), "model.safetensors is cut short"),
    "torn index": (lambda f: (f / INDEX).write_text("{"), "index.json is cut short"),
    "torn config": (lambda f: (f / "config.json").write_text("{"), "config.json is cut short"),
    "tokenizer": (lambda f: (f / "tokenizer.json").write_text(POINTER), "tokenizer.json is a git-lfs pointer"),
    "pickle": (lambda f: (f / WEIGHTS).rename(f / "pytorch_model.bin"), "only pytorch_model.bin: .* safetensors only"),
    "adapter": (lambda f: (f / "adapter_config.json").write_text("{}"), "merge the adapter"),
    "types": (lambda f: configure(f, hidden_size="16"), "'hidden_size' expected int, got str"),
    "activation": (lambda f: configure(f, hidden_act="no_such"), "KeyError: 'no_such'"),
    "missing": (lambda f: edit(f, lambda w: w.pop(UP)), f"not a whole LlamaForCausalLM: .*missing keys: {UP}"),
    "surplus": (lambda f: edit(f, lambda w: w.update({f"{UP}_scale": torch.ones(1)})), f"unexpected keys: {UP}_scale"),
    "shape": (lambda f: edit(f, lambda w: w.update({UP: torch.ones(3, 16)})), f"mismatched keys: {UP}"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_what_is_not_whole_is_refused_in_a_line(kind: str, folder: Path) -> None:
    plant, message = FAULTS[kind]
    plant(folder)
    with pytest.raises(UserError, match=message) as found:
        load_whole(AutoModelForCausalLM, folder, dtype=torch.float32)
    assert "\n" not in str(found.value)
    assert str(folder) in str(found.value)


def test_what_is_whole_is_loaded(folder: Path) -> None:
    """With the tied matrix under the head's name alone, as safetensors' save_model writes it."""
    edit(folder, lambda weights: weights.update({HEAD: weights.pop(EMBEDDING)}))
    model = load_whole(AutoModelForCausalLM, folder, dtype=torch.float32)
    assert torch.equal(model.model.embed_tokens.weight, load_file(folder / WEIGHTS)[HEAD])
