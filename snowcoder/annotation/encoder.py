"""BERT-style encoders with a linear head, from a Python package, a folder or the Hugging Face hub."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BatchEncoding

from snowcoder.config.annotation_schema import EncoderConfig
from snowcoder.errors import UserError
from snowcoder.packages import install_command, package_of
from snowcoder.pretrained.damage import shorten
from snowcoder.pretrained.load import load_model, load_part, load_whole

_PACKAGE = "package:"
_CLASSIFIER: dict[str, Any] = {"num_labels": 1, "dtype": torch.float32}
_OF_A_LAYER = re.compile(r"\blayers?\.\d+\.")
# FineWeb-Edu's recipe (classification/train_edu_bert.py of huggingface/cosmopedia).
_NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0}


def load_encoder(config: EncoderConfig, seed: int) -> tuple[Any, Any]:
    """The tokenizer, and the encoder with a new head of one output. Raises UserError where it cannot be had."""
    torch.manual_seed(seed)  # of the new weights
    place = encoder_place(config.name)
    try:
        tokenizer = load_encoder_tokenizer(place)
        model, found = load_model(AutoModelForSequenceClassification, place, **_CLASSIFIER, **_NO_DROPOUT)
        _check_body(model, found, place)
    except UserError as error:
        raise UserError(
            f"the encoder cannot be loaded: {error}. annotator.encoder.name is package:NAME, a folder, or a model of "
            "the Hugging Face hub, which must be reached once"
        ) from None
    longest = model.config.max_position_embeddings
    if config.tokens > longest:
        raise UserError(f"annotator.encoder.tokens={config.tokens}: {config.name} reads at most {longest}")
    return tokenizer, model


def _check_body(model: Any, found: dict[str, set[str]], place: str) -> None:
    """A head that the encoder came with is of another task and is dropped, and pooling may be new; no layer is."""
    made_up = found["missing keys"] | found["mismatched keys"]
    told = {
        "lacks": {name for name in made_up if name.startswith(f"{model.base_model_prefix}.") and "pooler" not in name},
        "has no place for": {name for name in found["unexpected keys"] if _OF_A_LAYER.search(name)},
    }
    if any(told.values()):
        texts = " and ".join(f"{what} {shorten(names)}" for what, names in told.items() if names)
        raise UserError(f"{place}: a {type(model).__name__} of its config.json {texts}")


def load_encoder_tokenizer(place: str) -> Any:
    return load_part(lambda: AutoTokenizer.from_pretrained(place), place)


def load_classifier(place: str) -> tuple[Any, Any]:
    """A trained annotator's tokenizer and model."""
    return load_encoder_tokenizer(place), load_whole(AutoModelForSequenceClassification, place, **_CLASSIFIER)


def tokenize(tokenizer: Any, texts: list[str], tokens: int) -> BatchEncoding:
    """Cut to `tokens`, and padded to the longest of them."""
    encoded: BatchEncoding = tokenizer(texts, truncation=True, max_length=tokens, padding=True, return_tensors="pt")
    return encoded


def encoder_place(name: str) -> str:
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
