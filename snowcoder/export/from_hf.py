"""`snowcoder import FOLDER`: the weights of a Hugging Face Llama become a run's step 0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.export.layout import one_replica
from snowcoder.export.llama_config import differences
from snowcoder.export.tensors import Tensors
from snowcoder.training.completion import complete_steps
from snowcoder.training.launch import launch


def run(config: Config, folder: str) -> None:
    """Write the checkpoint of step 0. Raises `UserError` with all that does not fit the config."""
    checkpoints = Path(config.run.dir) / "train" / "checkpoints"
    if steps := complete_steps(checkpoints):
        raise UserError(f"{checkpoints} already has a checkpoint (step {steps[-1]}): set another run.dir")
    llama = _read_config(Path(folder))
    if problems := [*differences(llama, config.model), *_biases(Path(folder))]:
        lines = "\n".join(f"  {n}. {text}" for n, text in enumerate(problems, 1))
        raise UserError(f"{folder} does not fit the config:\n{lines}")
    launch("snowcoder.export.load:run", one_replica(config), "import.yaml", folder)
    dtypes = f"{llama.dtype} there, {config.precision.dtype} here"
    print(f"import: {folder} is now step 0 in {checkpoints} ({dtypes})")


def _read_config(folder: Path) -> Any:
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} is not a Hugging Face model: it has no config.json")
    try:
        return AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'config.json'} is of no model that transformers knows: {error}") from None


def _biases(folder: Path) -> Iterator[str]:
    with Tensors(folder) as tensors:
        for name in tensors.names:
            if name.endswith(".bias"):
                yield f"it has {name}; snowcoder's Llama has no biases"
