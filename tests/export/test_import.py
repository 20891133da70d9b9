"""What `snowcoder import` refuses, before any rank is started."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.export import from_hf
from tests.export.conftest import write_origin
from tests.tiny import tiny_overrides


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(tiny_overrides(tmp_path, "parallel=single"))


@pytest.fixture
def origin(tmp_path: Path, config: Config) -> Path:
    return write_origin(tmp_path / "origin", config)


@pytest.fixture
def change(origin: Path) -> Callable[..., None]:
    """Set keys of the origin's config.json."""

    def write(**changes: Any) -> None:
        path = origin / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return write


def test_every_mismatch_is_named_with_the_value_to_set(
    config: Config, origin: Path, change: Callable[..., None]
) -> None:
    rope = {"rope_type": "default", "rope_theta": 5e5}
    change(num_hidden_layers=6, tie_word_embeddings=False, rope_parameters=rope, attention_bias=True)
    with pytest.raises(UserError) as found:
        from_hf.run(config, str(origin))
    message = str(found.value)
    assert "its attention_bias is True; snowcoder's Llama can only have False" in message
    assert "model.layers is 4: set model.layers=6" in message
    assert "model.tied_embeddings is True: set model.tied_embeddings=false" in message
    assert "model.rope_theta is 10000.0: set model.rope_theta=500000.0" in message
    assert message.count("\n") == 4


def test_scaled_positions_and_other_heads_are_refused(
    config: Config, origin: Path, change: Callable[..., None]
) -> None:
    rope = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
    change(rope_parameters=rope, head_dim=32)
    with pytest.raises(UserError, match=r"positions are scaled \(linear\)[\s\S]*have 32 dimensions"):
        from_hf.run(config, str(origin))


def test_what_old_versions_wrote_is_understood(config: Config, origin: Path, change: Callable[..., None]) -> None:
    path = origin / "config.json"
    content = json.loads(path.read_text())
    del content["rope_parameters"]
    path.write_text(json.dumps(content))
    change(rope_theta=20000.0)
    with pytest.raises(UserError, match=r"model\.rope_theta=20000\.0"):
        from_hf.run(config, str(origin))


def test_another_architecture_is_refused(config: Config, origin: Path, change: Callable[..., None]) -> None:
    change(model_type="mistral")
    with pytest.raises(UserError, match="its model_type is 'mistral'"):
        from_hf.run(config, str(origin))
    change(model_type="nothing-known")
    with pytest.raises(UserError, match="of no model that transformers knows"):
        from_hf.run(config, str(origin))


def test_biases_are_refused(config: Config, origin: Path) -> None:
    weights = load_file(origin / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.bias"] = torch.zeros(176)
    save_file(weights, origin / "model.safetensors")
    with pytest.raises(UserError, match=r"it has model.layers.0.mlp.up_proj.bias"):
        from_hf.run(config, str(origin))


def test_pickled_weights_are_not_read(config: Config, origin: Path) -> None:
    torch.save(load_file(origin / "model.safetensors"), origin / "pytorch_model.bin")
    (origin / "model.safetensors").unlink()
    with pytest.raises(UserError, match="reads weights from safetensors only"):
        from_hf.run(config, str(origin))


def test_a_folder_without_model_is_refused(config: Config, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"it has no config\.json"):
        from_hf.run(config, str(tmp_path / "nowhere"))


def test_a_run_that_has_begun_is_left_alone(config: Config, origin: Path) -> None:
    checkpoint = Path(config.run.dir) / "train" / "checkpoints" / "step-00000012"
    shutil.copytree(origin, checkpoint)
    (checkpoint / "COMPLETE.json").write_text("{}")
    with pytest.raises(UserError, match=r"already has a checkpoint \(step 12\)"):
        from_hf.run(config, str(origin))
