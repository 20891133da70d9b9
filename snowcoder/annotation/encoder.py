"""BERT-style encoders with a linear head, from a Python package, a folder or the Hugging Face hub."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BatchEncoding
from transformers.utils import logging

from snowcoder.config.annotation_schema import EncoderConfig
from snowcoder.errors import UserError
from snowcoder.packages import install_command, package_of

_PACKAGE = "package:"
# FineWeb-Edu's recipe (classification/train_edu_bert.py of huggingface/cosmopedia).
_NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0}


def load_encoder(config: EncoderConfig, seed: int) -> tuple[Any, Any]:
    """The tokenizer, and the encoder with a new head of one output. Raises UserError where it cannot be had."""
    torch.manual_seed(seed)  # of the new weights
    # A head that the encoder came with is of another task, and may have another size.
    tokenizer, model = load_classifier(place_of(config.name), ignore_mismatched_sizes=True, **_NO_DROPOUT)
    longest = model.config.max_position_embeddings
    if config.tokens > longest:
        raise UserError(f"annotator.encoder.tokens={config.tokens}: {config.name} reads at most {longest}")
    return tokenizer, model


def load_tokenizer(place: str) -> Any:
    with quiet():
        return AutoTokenizer.from_pretrained(place)


def load_classifier(place: str, **changes: Any) -> tuple[Any, Any]:
    """Of a folder or a name of the hub; its code is never run, and its weights are never unpickled."""
    how = {"use_safetensors": True, "trust_remote_code": False, "dtype": torch.float32}
    try:
        tokenizer = load_tokenizer(place)
        with quiet():
            model = AutoModelForSequenceClassification.from_pretrained(place, num_labels=1, **how, **changes)
    except (OSError, ValueError) as error:
        raise UserError(
            f"the encoder {place} cannot be loaded ({' '.join(str(error).split())}). annotator.encoder.name is "
            "package:NAME, a folder, or a model of the Hugging Face hub, which must be reached once"
        ) from None
    return tokenizer, model


@contextmanager
def quiet() -> Iterator[None]:
    """Without what transformers says meanwhile: that the head is new, how many files it has read."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()


def tokenize(tokenizer: Any, texts: list[str], tokens: int) -> BatchEncoding:
    """Cut to `tokens`, and padded to the longest of them."""
    encoded: BatchEncoding = tokenizer(texts, truncation=True, max_length=tokens, padding=True, return_tensors="pt")
    return encoded


def place_of(name: str) -> str:
    """A folder for `package:NAME`: the one in the package that has weights. The package's code is not run."""
    if not name.startswith(_PACKAGE):
        return name
    package = name.removeprefix(_PACKAGE)
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    for folder in (found.submodule_search_locations or []) if found else []:
        for weights in sorted(Path(folder).rglob("*.safetensors")):
            if (weights.parent / "config.json").is_file():
                return str(weights.parent)
    why = "has no model.safetensors" if found else "is not installed"
    how = install_command(package_of(package), "annotate")
    raise UserError(f"annotator.encoder.name={name}: the Python package {package} {why}: {how}")
