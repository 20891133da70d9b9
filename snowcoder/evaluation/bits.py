"""Bits per byte of the documents that an index has held out, by language: comparable over tokenizers.

Documents are read as text and encoded by the model's own tokenizer. A long one is read in windows of the model's
length, each of which knows nothing of the one before it; the first token of a window is conditioned on end of text.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index.layout import content_of
from snowcoder.index.reader import IndexedSource
from snowcoder.index.sidecar import read_sidecar
from snowcoder.progress import bar
from snowcoder.tokenization.load import load_tokenizer

if TYPE_CHECKING:
    from snowcoder.evaluation.local_model import LocalModel


class Bits(NamedTuple):
    model: str
    language: str
    bytes: int
    bits_per_byte: float


def held_out_texts(config: Config) -> dict[str, list[str]]:
    """Documents by language, of each up to `bits.kib`. Raises UserError where the index is not there."""
    name = config.evaluation.bits.source
    if name is None:
        return {}
    if name not in config.index.sources:
        known = ", ".join(config.index.sources)
        raise UserError(f"evaluation.bits.source={name}: not a source of index.sources; allowed: {known}, null")
    index = IndexedSource(Path(config.index.dir) / name, "held_out")
    tokenizer = load_tokenizer(config.tokenizer.folder)
    if tokenizer.digest != index.manifest.inputs["tokenizer"]:
        raise UserError(f"{tokenizer.folder} is not the tokenizer that {name} was indexed with")
    texts: dict[str, list[str]] = defaultdict(list)
    left: dict[str, int] = defaultdict(lambda: config.evaluation.bits.kib << 10)
    for number, language in enumerate(_languages(index)):
        if left[language] > 0:
            content = content_of(index.tokens_of(number, 0, sys.maxsize), tokenizer).encode()[: left[language]]
            left[language] -= len(content)
            texts[language].append(content.decode(errors="ignore"))
    if not texts:
        print(f"evaluate: {name} holds out no documents (index.held_out): no bits per byte")
    return dict(sorted(texts.items()))


def _languages(index: IndexedSource) -> Iterator[str]:
    for prefix in index.prefixes:
        yield from read_sidecar(prefix, ["language"])["language"].fill_null("").to_pylist()


def bits_per_byte(name: str, model: LocalModel, texts: dict[str, list[str]]) -> list[Bits]:
    found = []
    for language, files in bar(f"bits per byte of {name}", len(texts), "language", texts.items()):
        nats = sum(_nats(model, text) for text in files)
        size = sum(len(text.encode()) for text in files)
        found.append(Bits(name, language, size, nats / math.log(2) / size))
    return found


def _nats(model: LocalModel, text: str) -> float:
    import torch  # late: an evaluation that is up to date does not wait for it

    ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    width, start, total = model.longest - 1, model.tokenizer.eos_token_id, 0.0
    for first in range(0, len(ids), width):
        window = ids[first : first + width]
        inputs = torch.tensor([[start, *window[:-1]]], device=model.device)
        with torch.inference_mode():
            logits = model.model(inputs).logits[0].float()
        labels = torch.tensor(window, device=model.device)
        total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
    return total
