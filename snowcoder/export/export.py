"""`snowcoder export`: the newest checkpoint as a Hugging Face folder that answers as it does.

The folder is made beside its place as `.partial`, and put there once the parity gate has passed.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snowcoder.config.layout import as_trained, in_fp32, one_rank, one_replica
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.model.size import count_parameters
from snowcoder.stages.stage import Stage
from snowcoder.storage.atomic import write_json
from snowcoder.storage.digest import digest_file
from snowcoder.tokenization.load import Tokenizer, load_tokenizer
from snowcoder.training.checkpoints.checkpoint_record import CheckpointRecord
from snowcoder.training.checkpoints.completion_record import (
    RECORD,
    all_steps,
    find_damage,
    newest_valid,
    read_record,
    step_folder,
)
from snowcoder.training.identity import find_changes, recorded_inputs
from snowcoder.training.train import launch

if TYPE_CHECKING:
    from snowcoder.export.parity import ParityReport

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.model",
)
_SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")


def run(config: Config) -> None:
    """Write `export.dir`. Raises `OperationError` if transformers does not answer as the model."""
    checkpoint = find_checkpoint(config)
    record = read_record(checkpoint)
    config = as_trained(config, record.model, record.parallel, record.precision)
    tokenizer = _load_tokenizer(config)
    _check_identity(config, checkpoint, record)
    target = Path(config.export.dir)
    _check_target(config, target)
    inputs = _inputs(config, checkpoint, record, tokenizer)
    decided_by = {"model": record.model, "dtype": record.dtype}
    if config.export.licence:  # exports of before this key are still up to date
        decided_by["licence"] = config.export.licence
    stage = Stage("export", target, inputs, decided_by)
    if not stage.is_done("export"):
        with stage.replacing() as partial:
            _export(config, checkpoint, tokenizer, stage, partial)


def _export(config: Config, checkpoint: Path, tokenizer: Tokenizer, stage: Stage, partial: Path) -> None:
    # Late, here and below: torch and transformers take 6 s, which a folder that is up to date need not wait for.
    from snowcoder.export.card import write_card
    from snowcoder.export.parity import check_tokenizer

    record = read_record(checkpoint)
    layout = f"tensor {config.parallel.tensor}, pipeline {config.parallel.pipeline}"
    print(f"export: {checkpoint}, trained with {layout} in {config.precision.dtype}", flush=True)
    _write_model(config, checkpoint, _empty(partial))
    check_tokenizer(partial, tokenizer)
    parity = _check_parity(config, checkpoint, partial, tokenizer)
    write_card(partial, config, record, stage.inputs, parity)
    counts = {
        "parameters": count_parameters(config.model).total,
        "step": record.step,
        "parity": {str(prompt.tokens): prompt.largest for prompt in parity.prompts},
        "text_parity": parity.text.largest if parity.text else None,
    }
    stage.put(partial, counts)
    within = f"{parity.largest:.1e}"
    print(f"export: {stage.folder}, parity with {checkpoint.name} within {within}, tokenizer and text the same")


def find_checkpoint(config: Config) -> Path:
    """The checkpoint of `export.step`, or the newest valid one."""
    folder = RunFolder.of(config).checkpoints
    if config.export.step is None:
        newest, passed_over = newest_valid(folder)
        for text in passed_over:
            print(f"export: passed over {text}")
        if newest is None:
            raise UserError(f"there is no valid checkpoint in {folder}: run `snowcoder train`, or set run.dir")
        return newest
    chosen = step_folder(folder, config.export.step)
    if problem := find_damage(chosen):
        steps = ", ".join(map(str, all_steps(folder))) or "none"
        raise UserError(f"export.step={config.export.step}: {chosen}: {problem}. Steps in {folder}: {steps}")
    return chosen


def _load_tokenizer(config: Config) -> Tokenizer:
    tokenizer = load_tokenizer(config.tokenizer.folder)
    if tokenizer.vocab_size != config.model.vocab_size:
        raise UserError(
            f"the tokenizer in {tokenizer.folder} has {tokenizer.vocab_size} entries, the model in "
            f"{config.run.dir} {config.model.vocab_size}: set tokenizer.dir to the model's own"
        )
    return tokenizer


def _check_identity(config: Config, checkpoint: Path, record: CheckpointRecord) -> None:
    """Raise `UserError` naming which of tokenizer, plan and indexes are not those that the checkpoint rests on."""
    if changes := [*find_changes(config, record)]:
        lines = "\n".join(f"  {n}. {text}" for n, text in enumerate(changes, 1))
        raise UserError(
            f"{checkpoint} is not exported, for it was trained with something else:\n{lines}\n"
            "Set tokenizer.dir, plan.dir and index.dir to the run's own. Of plan and index, one that is gone is no "
            "obstacle: the checkpoint's record names it"
        )


def _check_target(config: Config, target: Path) -> None:
    """What is at `export.dir` makes room for the export."""
    folders = {"run.dir": config.run.dir, "tokenizer.dir": config.tokenizer.dir, "index.dir": config.index.dir}
    for key, folder in folders.items():
        if Path(folder).resolve().is_relative_to(target.resolve()):
            raise UserError(f"export.dir={target}: {key} lies there, and would be removed; set a folder of its own")


def _inputs(config: Config, checkpoint: Path, record: CheckpointRecord, tokenizer: Tokenizer) -> dict[str, Any]:
    """As the record has them, not as they may be by now."""
    recorded = {**recorded_inputs(config, record), "tokenizer": tokenizer.digest}
    return {"checkpoint": digest_file(checkpoint / RECORD), **recorded}


def _write_model(config: Config, checkpoint: Path, folder: Path) -> None:
    print("export: one rank converts it", flush=True)
    launch(
        "snowcoder.export.convert:run",
        one_rank(config),
        "export-convert.yaml",
        str(checkpoint),
        str(folder),
    )
    for name in _TOKENIZER_FILES:
        if (source := config.tokenizer.folder / name).is_file():
            shutil.copyfile(source, folder / name)
    from transformers import AutoTokenizer

    from snowcoder.export.llama_config import to_generation, to_llama

    tokenizer = AutoTokenizer.from_pretrained(folder)
    special = {name: getattr(tokenizer, name) for name in _SPECIAL}
    write_json(folder / "config.json", to_llama(config.model, config.precision, special))
    write_json(folder / "generation_config.json", to_generation(special))


def _check_parity(config: Config, checkpoint: Path, folder: Path, tokenizer: Tokenizer) -> ParityReport:
    from snowcoder.export.parity import PROMPT, TEXT, check_parity

    reference = _empty(Path(f"{config.export.dir}.reference"))  # of its own: another checkpoint may be exported, too
    ranks = one_replica(in_fp32(config))
    paths = str(checkpoint), str(reference), str(reference / PROMPT)
    write_json(reference / PROMPT, tokenizer.encode(TEXT)[: config.model.sequence_length])
    print(f"export: {ranks.parallel.world_size} rank(s) in the trained layout answer prompts", flush=True)
    try:
        launch("snowcoder.export.reference:run", ranks, "export-reference.yaml", *paths)
        print("export: transformers answers them", flush=True)
        return check_parity(folder, reference, tokenizer)
    finally:
        shutil.rmtree(reference)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
