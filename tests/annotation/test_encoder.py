"""The body of an encoder is loaded whole; its head and pooling may be new."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ModernBertConfig, ModernBertForSequenceClassification

from snowcoder.annotation import train
from snowcoder.annotation.encoder import dtype_on, load_classifier, load_encoder
from snowcoder.config.annotation_schema import EncoderConfig
from snowcoder.errors import UserError
from tests.annotation.conftest import configure

FILE = "model.safetensors"
LAYER = "bert.encoder.layer.1.output.dense.weight"


def edited(encoder: Path, folder: Path, plant: Callable[[dict[str, torch.Tensor]], object]) -> EncoderConfig:
    shutil.copytree(encoder, folder)
    weights = load_file(folder / FILE)
    plant(weights)
    save_file(weights, folder / FILE, {"format": "pt"})
    return EncoderConfig(name=str(folder), tokens=48, train="all")


def as_of_another_task(weights: dict[str, torch.Tensor]) -> None:
    for name in [name for name in weights if "pooler" in name or name.startswith("classifier")]:
        del weights[name]
    weights["cls.predictions.bias"] = torch.ones(8)


def test_a_head_of_another_task_is_replaced(encoder: Path, tmp_path: Path) -> None:
    _, model = load_encoder(edited(encoder, tmp_path / "encoder", as_of_another_task), 1)
    assert model.classifier.out_features == 1
    assert torch.equal(model.state_dict()[LAYER], load_file(encoder / FILE)[LAYER])


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (lambda w: w.pop(LAYER), f"lacks {LAYER}"),
        (lambda w: w.update({LAYER: torch.ones(3, 3)}), f"lacks {LAYER}"),
        (lambda w: w.update({f"{LAYER}_scale": torch.ones(1)}), f"has no place for {LAYER}_scale"),
    ],
    ids=["missing", "shape", "scale"],
)
def test_a_layer_that_is_not_whole_is_refused(
    plant: Callable[[dict[str, torch.Tensor]], object], message: str, encoder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"the encoder cannot be loaded: .*{message}.*annotator.encoder.name"):
        load_encoder(edited(encoder, tmp_path / "encoder", plant), 1)


def test_a_damaged_folder_is_named_before_anything_is_read(files: Path, encoder: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(encoder, tmp_path / "encoder")
    (damaged / FILE).write_bytes(b"")
    with pytest.raises(UserError, match=r"annotator\.encoder\.name: .*model\.safetensors is empty"):
        train.run(configure(tmp_path, files, damaged))
    assert not (tmp_path / "annotator").exists()


def test_a_gpu_scores_in_bf16_with_the_frequencies_of_rotary_positions_in_fp32(encoder: Path, tmp_path: Path) -> None:
    """`.to(bfloat16)` rounds these, too. The default encoders are BERTs, which have none."""
    size = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {f"{name}_token_id": 0 for name in ("pad", "bos", "eos", "cls", "sep")}
    made = ModernBertForSequenceClassification(ModernBertConfig(**size, **ids, vocab_size=80, num_labels=1))
    folder = shutil.copytree(encoder, tmp_path / "encoder")
    made.save_pretrained(folder)
    _, model = load_classifier(str(folder), dtype_on(torch.device("cuda")))
    assert model.dtype == torch.bfloat16
    frequencies = {name: each for name, each in made.named_buffers() if "inv_freq" in name}
    assert frequencies
    for name, exact in frequencies.items():
        assert torch.equal(model.get_buffer(name), exact)
    assert dtype_on(torch.device("cpu")) == torch.float32
