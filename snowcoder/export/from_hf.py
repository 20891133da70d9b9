"""`snowcoder import FOLDER`: the weights of a Hugging Face Llama become a run's step 0.

Whatever of the folder would be lost or spoiled is told before a rank starts, all at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from snowcoder.config.layout import one_replica
from snowcoder.config.schema import Config, ModelConfig
from snowcoder.errors import UserError
from snowcoder.export.fit import dtypes, misfits
from snowcoder.export.llama_config import model_differences, quantization, to_model, unsupported
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.model.mapping import EMBEDDING, HEAD
from snowcoder.pretrained.damage import one_line, read_object, shorten
from snowcoder.pretrained.load import quiet
from snowcoder.pretrained.tensors import ADAPTER, Tensors
from snowcoder.training.checkpoints.completion_record import complete_steps
from snowcoder.training.lock import run_lock
from snowcoder.training.train import launch


def run(config: Config, folder: str) -> None:
    """Write the checkpoint of step 0. Raises `UserError` with all that speaks against it."""
    checkpoints = RunFolder.of(config).checkpoints
    _check_empty(checkpoints)
    _check_kind(Path(folder))
    with Tensors(Path(folder)) as tensors:
        if problems := list(_problems(config, tensors)):
            raise UserError(f"{folder} cannot be imported:{_list(problems)}")
        there = dtypes(tensors)
    with run_lock(config, {}) as locks:
        _check_empty(checkpoints)  # again: a training may just have ended there
        launch("snowcoder.export.load:run", one_replica(config), "import.yaml", folder, locks=locks)
    print(f"import: {folder} is now step 0 in {checkpoints} ({there} there, {config.precision.dtype} here)")


def _list(problems: list[str]) -> str:
    """One goes on in the line, several have a line each."""
    if len(problems) == 1:
        return f" {problems[0]}"
    return "".join(f"\n  {n}. {text}" for n, text in enumerate(problems, 1))


def _check_kind(folder: Path) -> None:
    if (folder / "config.json").exists():
        return
    if (folder / ADAPTER).exists():
        raise UserError(
            f"{folder} is an adapter (it has {ADAPTER}), not a model: merge it into its base model "
            "(PEFT's merge_and_unload), save that, and import it"
        )
    raise UserError(
        f"{folder} is not a Hugging Face model: it has no config.json. "
        "`hf download NAME --local-dir FOLDER` gets one of the hub"
    )


def _problems(config: Config, tensors: Tensors) -> Iterator[str]:
    yield from tensors.problems
    yield from _unread(tensors)
    try:
        yield from _contradictions(config, tensors)
    except UserError as problem:
        yield str(problem)


def _contradictions(config: Config, tensors: Tensors) -> Iterator[str]:
    """Of the folder's config with ours, and of its tensors with its config. Raises UserError where it has none."""
    llama = _read_config(tensors.folder)
    yield from quantization(llama)
    yield from (others := list(unsupported(llama)))
    if llama.model_type != "llama":
        return
    theirs = _model_of(llama, config.model, tensors.names)
    yield from model_differences(theirs, config.model)
    if not others:  # whose tensors would only repeat it
        yield from misfits(tensors, theirs, torch.bfloat16 if config.precision.dtype == "bf16" else torch.float32)


def _model_of(llama: Any, ours: ModelConfig, names: list[str]) -> ModelConfig:
    """What the folder holds: a head of its own can be taken as one, even if config.json ties it to the embedding."""
    theirs = to_model(llama, ours)
    both = HEAD in names and EMBEDDING in names
    return theirs.model_copy(update={"tied_embeddings": False}) if both and not ours.tied_embeddings else theirs


def _unread(tensors: Tensors) -> Iterator[str]:
    """Of a model saved twice, or with something beside it."""
    others = {path.name for path in tensors.folder.glob("[!.]*.safetensors")} - {path.name for path in tensors.files}
    if others and tensors.files:
        yield f"it has {shorten(others)} besides its weights, which would not be read: take that away"


def _check_empty(checkpoints: Path) -> None:
    if steps := complete_steps(checkpoints):
        raise UserError(f"{checkpoints} already has a checkpoint (step {steps[-1]}): set another run.dir")


def _read_config(folder: Path) -> Any:
    read_object(folder / "config.json")
    try:
        with quiet():
            return AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"config.json is of no model that transformers knows: {one_line(error)}") from None
    except Exception as error:  # of its validation, or of its arithmetic with what it did not validate
        raise UserError(f"config.json is wrong: {one_line(error)}") from None
