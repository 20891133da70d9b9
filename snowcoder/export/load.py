"""What a rank does to import: fill its part of the model, save it as the checkpoint of step 0."""

from __future__ import annotations

from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.export.fit import stored_as
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.model.llama import build_chunks, transformer_config
from snowcoder.model.mapping import load_hugging_face
from snowcoder.pretrained.tensors import Tensors
from snowcoder.storage.digest import digest_file, digest_json
from snowcoder.training.checkpoints.checkpoint_record import CheckpointRecord
from snowcoder.training.checkpoints.write import Checkpoints, describe_model
from snowcoder.training.checkpoints.written_by import written_by
from snowcoder.training.identity import tokenizer_digest
from snowcoder.training.rank.process_groups import tensor_part
from snowcoder.training.rank.pulse import doing


def run(config: Config, folder: str) -> None:
    doing("building the model")
    chunks = build_chunks(config, transformer_config(config))
    doing(f"reading {folder}")
    with Tensors(Path(folder)) as tensors:
        for chunk in chunks:
            load_hugging_face(
                chunk, config.model, tensor_part(), lambda name: tensors.get(stored_as(name, tensors, config.model))
            )
    checkpoints = Checkpoints(RunFolder.of(config).checkpoints, config)
    checkpoints.save_weights(chunks, _record(config, tensors.files))


def _record(config: Config, files: list[Path]) -> CheckpointRecord:
    imported = digest_json([digest_file(path) for path in files])
    named = {"imported": imported, "tokenizer": tokenizer_digest(config)}
    return CheckpointRecord(
        step=0,
        phase="import",
        phase_end=False,
        phases={},
        ledger={},
        cursors={},
        imported=imported,
        inputs={name: digest for name, digest in named.items() if digest},
        written_by=written_by(),
        **describe_model(config),
    )
