"""`snowcoder tokenizer train`: shards become a Hugging Face tokenizer folder with its report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from snowcoder import readable
from snowcoder.config.schema import Config, TokenizerConfig
from snowcoder.errors import UserError
from snowcoder.lineage.dependents import refuse_change
from snowcoder.lineage.manifest import find_manifest
from snowcoder.stages.stage import Stage, working_in
from snowcoder.storage.atomic import atomic_path
from snowcoder.storage.columns import without
from snowcoder.storage.digest import digest_file
from snowcoder.storage.schemas import check_shards
from snowcoder.tokenization import byte_bpe, report, sentencepiece_bpe
from snowcoder.tokenization.load import FILE, load_tokenizer
from snowcoder.tokenization.special import END_OF_TEXT, FIM_PAD, special_tokens
from snowcoder.tokenization.training_text import TrainingText

_STAGE = "tokenizer train"


def run(config: Config) -> None:
    """Train what `tokenizer` in the config says, unless its folder holds just that already.

    Raises `UserError` where the folder holds what a run was trained with, or what another stage made.
    """
    settings, folder = config.tokenizer, Path(config.tokenizer.dir)
    peer = report.load_peer(Path(settings.compare_with)) if settings.compare_with else None
    text = TrainingText(config)
    stage = _recognize(Stage(_STAGE, folder, {}, _decided_by(config, peer)), text)
    if stage.is_done("tokenizer"):
        return
    _refuse_change(config, folder)
    check_shards(text.store, text.shards, config.index.columns)
    with working_in(folder):
        _make(config, text, peer, stage)
    print(f"tokenizer: {settings.vocab_size:,} entries in {folder}, see {folder / 'report.md'}")


def _recognize(stage: Stage, text: TrainingText) -> Stage:
    """With the inputs of what is there, if the shards are still those: not read again, unless they were touched."""
    before = find_manifest(stage.folder)
    same = replace(stage, inputs=before.inputs if before else {})
    done = same.find_done()
    if done is None or done.counts["shard_tags"] == text.tags():
        return same
    if not text.holds(done.inputs["shards"]):
        return stage
    same.renew(done, shard_tags=text.tags())
    return same


def _refuse_change(config: Config, folder: Path) -> None:
    before = find_manifest(folder)
    if before and before.stage != _STAGE:
        raise UserError(f"{folder} is what `snowcoder {before.stage}` made: set another tokenizer.dir")
    if (folder / FILE).is_file():
        refuse_change(config.run.dir, folder, "tokenizer", digest_file(folder / FILE))


def _make(config: Config, text: TrainingText, peer: report.Peer | None, stage: Stage) -> None:
    settings, folder = config.tokenizer, stage.folder
    files = _train(settings, text)
    files["tokenizer_config.json"] = _json(_hugging_face_config(config))
    files["sources.txt"] = _lines(sorted(text.repositories - {""}))
    stage.withdraw()
    _write(folder, files)
    measured = report.measure(settings, text, load_tokenizer(folder), peer)
    reports = {"report.json": _json(measured), "report.md": report.to_markdown(measured).encode()}
    _write(folder, reports)
    replace(stage, inputs={"shards": text.inputs()}).vouch(_counts(text), sorted({**files, **reports}))
    if lacking := without(text.without):
        print(f"tokenizer: of {text.counts['documents_read']:,} documents {lacking}")


def _counts(text: TrainingText) -> dict[str, Any]:
    return {
        **text.counts,
        "dropped": dict(text.dropped),
        "without": dict(text.without),
        "skipped": text.skipped,
        "shard_tags": text.tags(),
    }


def _decided_by(config: Config, peer: report.Peer | None) -> dict[str, Any]:
    """The part of the config that decides the outputs; no paths, which differ between machines."""
    return {
        **config.tokenizer.model_dump(exclude={"dir", "shards", "compare_with"}),
        "compare_with": peer.digest if peer else None,
        "columns": config.index.columns.model_dump(),
        "max_document_mib": config.index.max_document_mib,
        "model_max_length": config.model.sequence_length,
    }


def _train(settings: TokenizerConfig, text: TrainingText) -> dict[str, bytes]:
    """The files of a tokenizer with exactly as many entries as asked for."""
    special = special_tokens(settings.spare_tokens)
    smallest = len(special) + 256 + 1
    if settings.vocab_size < smallest:
        raise UserError(
            f"tokenizer.vocab_size={settings.vocab_size}: must be at least {smallest}, for "
            f"256 bytes and {len(special)} special tokens (tokenizer.spare_tokens)"
        )
    files = {}
    if settings.algorithm == "byte_bpe":
        tokenizer = byte_bpe.train_byte_bpe(iter(text), settings.vocab_size, special)
    else:
        model = sentencepiece_bpe.train_sentencepiece(iter(text), settings.vocab_size, special)
        tokenizer = sentencepiece_bpe.to_tokenizers(model, special)
        files["tokenizer.model"] = model
    reached = tokenizer.get_vocab_size()
    if reached != settings.vocab_size:
        raise UserError(
            f"tokenizer.vocab_size={settings.vocab_size}: the text of {settings.shards} "
            f"({readable.size(text.counts['bytes_trained_on'])}) is enough for {reached} entries; "
            f"set tokenizer.vocab_size={reached} or less, or train on more text "
            "(tokenizer.shards, tokenizer.sample_mib)"
        )
    return {FILE: tokenizer.to_str().encode(), **files}


def _hugging_face_config(config: Config) -> dict[str, Any]:
    """What AutoTokenizer reads beside tokenizer.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END_OF_TEXT,
        "pad_token": FIM_PAD,
        "model_max_length": config.model.sequence_length,
        "clean_up_tokenization_spaces": False,
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _lines(values: list[str]) -> bytes:
    return "".join(f"{value}\n" for value in values).encode()


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(data)
