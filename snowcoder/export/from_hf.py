"""`snowcoder import FOLDER`: start a run from the weights of a Hugging Face Llama, as its checkpoint of step 0."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.export.layout import one_replica
from snowcoder.export.llama_config import differences
from snowcoder.export.tensors import Tensors
from snowcoder.training.completion import complete_steps
from snowcoder.training.launch import launch


def run(config: Config, folder: str) -> None:
    """Write the checkpoint of step 0. Raises `UserError` with all that keeps `folder` from fitting the config."""
    checkpoints = Path(config.run.dir) / "train" / "checkpoints"
    if steps := complete_steps(checkpoints):
        raise UserError(f"{checkpoints} already has a checkpoint (step {steps[-1]}): set another run.dir")
    if not (Path(folder) / "config.json").is_file():
        raise UserError(f"{folder} is not a Hugging Face model: it has no config.json")
    problems = [*differences(AutoConfig.from_pretrained(folder), config.model)]
    with Tensors(Path(folder)) as tensors:
        problems += [f"it has biases, which snowcoder's Llama has not: {name}" for name in tensors.names if name.endswith(".bias")]
    if problems:
        lines = "\n".join(f"  {n}. {text}" for n, text in enumerate(problems, 1))
        raise UserError(f"{folder} does not fit the config:\n{lines}")
    launch("snowcoder.export.load:run", one_replica(config), "import.yaml", folder)
    print(f"import: {folder} is the checkpoint of step 0 in {checkpoints}")
