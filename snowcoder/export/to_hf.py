"""`snowcoder export`: a checkpoint of any layout as a Hugging Face folder, written only if its logits agree."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from snowcoder.config.schema import Config, ModelConfig, ParallelConfig, PrecisionConfig
from snowcoder.errors import UserError
from snowcoder.export.card import model_card
from snowcoder.lineage.digest import digest_file
from snowcoder.lineage.manifest import Manifest, describe
from snowcoder.tokenization.load import load_tokenizer
from snowcoder.training.completion import RECORD, find_damage, newest_valid, read_record, step_folder
from snowcoder.training.launch import launch

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model")


def run(config: Config) -> None:
    checkpoint = _find_checkpoint(config)
    record = read_record(checkpoint)
    trained = _as_trained(config, record)
    target = Path(config.export.dir)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    print(f"exporting {checkpoint}: {_layout(trained)}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        reference = Path(scratch) / "reference.safetensors"
        launch("snowcoder.export.convert:run", _single(trained), "export.yaml", str(checkpoint), str(partial))
        launch("snowcoder.export.reference:run", _in_fp32(trained), "export.yaml", str(checkpoint), str(reference))
        from snowcoder.export.parity import TOLERANCE, check_parity

        parity = check_parity(partial, reference)
    _copy_tokenizer(Path(config.tokenizer.dir), partial)
    _finish(config, checkpoint, record, partial, parity._asdict())
    _replace(partial, target)
    print(
        f"exported to {target}: logits agree within {parity.largest_difference:.1e} (allowed {TOLERANCE:g}) "
        f"on {parity.prompts} prompts, {parity.positions} positions"
    )


def _find_checkpoint(config: Config) -> Path:
    folder = Path(config.run.dir) / "train" / "checkpoints"
    if config.export.step is None:
        found, passed_over = newest_valid(folder)
        for text in passed_over:
            print(f"passed over {text}")
        if found is None:
            raise UserError(f"there is no valid checkpoint in {folder}: run `snowcoder train` or `snowcoder import`")
        return found
    found = step_folder(folder, config.export.step)
    damage = find_damage(found)
    if damage:
        raise UserError(f"export.step={config.export.step}: {found}: {damage}")
    return found


def _as_trained(config: Config, record: dict[str, Any]) -> Config:
    """The config with the model and layout that the checkpoint was trained in; one replica of the data is enough."""
    parallel = ParallelConfig(**{**record["parallel"], "data": 1, "context": 1})
    model, precision = ModelConfig(**record["model"]), PrecisionConfig(**{**record["precision"], "fp8": "none"})
    return config.model_copy(update={"model": model, "parallel": parallel, "precision": precision})


def _in_fp32(config: Config) -> Config:
    return config.model_copy(update={"precision": config.precision.model_copy(update={"dtype": "fp32"})})


def _single(config: Config) -> Config:
    alone = {"tensor": 1, "pipeline": 1, "virtual_stages": 1, "sequence": False}
    return config.model_copy(update={"parallel": config.parallel.model_copy(update=alone)})


def _layout(config: Config) -> str:
    parallel = config.parallel
    return f"trained with tensor {parallel.tensor}, pipeline {parallel.pipeline}, in {config.precision.dtype}"


def _copy_tokenizer(folder: Path, target: Path) -> None:
    for name in _TOKENIZER_FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)


def _finish(config: Config, checkpoint: Path, record: dict[str, Any], folder: Path, parity: dict[str, Any]) -> None:
    """The model card and, last, the manifest."""
    inputs = {
        "checkpoint": digest_file(checkpoint / RECORD),
        "plan": record.get("plan"),
        "tokenizer": load_tokenizer(Path(config.tokenizer.dir)).digest,
    }
    (folder / "README.md").write_text(model_card(config, record, inputs, parity))
    names = sorted(path.name for path in folder.iterdir())
    Manifest("export", inputs, record["model"], {"parity": parity}, describe(folder, names)).write(folder)


def _replace(partial: Path, target: Path) -> None:
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.rename(target, old)
    os.rename(partial, target)
    shutil.rmtree(old, ignore_errors=True)
