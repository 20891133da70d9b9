"""Run by the ranks of an import: read whole tensors from safetensors, keep this rank's part, save step 0."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.training.checkpoint import Checkpoints, describe_model
from snowcoder.training.run import build_model


def run(config: Config, folder: str) -> None:
    model = build_model(config, tensor_reader(Path(folder)))
    checkpoints = Checkpoints(Path(config.run.dir) / "train" / "checkpoints", config.checkpoint)
    record = {
        "step": 0,
        "phase": "import",
        "phase_end": True,
        "phases": {},
        "ledger": {},
        "cursors": {},
        "plan": None,
        **describe_model(config),
    }
    checkpoints.save(model, record)
    checkpoints.wait()


def tensor_reader(folder: Path) -> Callable[[str], torch.Tensor]:
    """A function from a tensor's name to its value, reading one tensor at a time."""
    index = folder / "model.safetensors.index.json"
    files: dict[str, str] = json.loads(index.read_text())["weight_map"] if index.is_file() else {}

    def get(name: str) -> torch.Tensor:
        path = folder / files.get(name, "model.safetensors")
        try:
            with safe_open(path, framework="pt") as file:
                return file.get_tensor(name)
        except (OSError, FileNotFoundError, KeyError) as error:
            raise UserError(f"{path}: no tensor {name} ({error})") from None

    return get
