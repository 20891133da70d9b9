"""Bits per byte: of the documents that an index has held out, by language, and of benchmarks' solutions.

They compare models of any tokenizer, and show differences between models that solve nothing yet. Texts are encoded by
the model's own tokenizer. A long one is read in windows of the model's length, each of which knows nothing of the one
before it; the first token of a window is conditioned on end of text. A solution is conditioned on its task's prompt.
"""

from __future__ import annotations

import functools
import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.evaluation.estimate import Estimate, ratio
from snowcoder.evaluation.tasks import Task
from snowcoder.index.layout import content_of
from snowcoder.index.reader import IndexedSource
from snowcoder.index.sidecar import read_sidecar
from snowcoder.progress import bar
from snowcoder.tokenization.load import load_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

    from snowcoder.evaluation.local_model import LocalModel

_DOCUMENTS = 32  # of a language, at least, where there are so many: what varies between them is part of the interval


class Passage(NamedTuple):
    text: str
    before: str = ""  # what the model is given


Passages = dict[str, list[Passage]]  # by language, or by title of a suite


@dataclass(frozen=True)
class Bits:
    """One model on one kind of text."""

    model: str
    of: str  # a language, or a suite's title
    given_a_prompt: bool
    sizes: list[int]  # bytes of each text
    bits: list[float]  # that the model takes for each
    bits_per_byte: Estimate  # over all; its interval is that of drawing texts again


def held_out_passages(config: Config) -> Passages:
    """Documents by language, of each language up to `bits.kib`. Raises UserError where the index is not there."""
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
    found: Passages = defaultdict(list)
    left: dict[str, int] = defaultdict(lambda: config.evaluation.bits.kib << 10)
    for number, language in enumerate(_languages(index)):
        if left[language] > 0:
            most = min(left[language], (config.evaluation.bits.kib << 10) // _DOCUMENTS)
            content = content_of(index.tokens_of(number, 0, sys.maxsize), tokenizer).encode()[:most]
            left[language] -= len(content)
            found[language].append(Passage(content.decode(errors="ignore")))
    if not found:
        print(f"evaluate: {name} holds out no documents (index.held_out): no bits per byte")
    return dict(sorted(found.items()))


def solution_passages(suites: dict[str, list[Task]]) -> Passages:
    """What remains of the canonical solutions after the prompts, by title of the suite; its tasks are given."""
    return {title: [_solution(task) for task in tasks] for title, tasks in suites.items()}


def _solution(task: Task) -> Passage:
    """MBPP's programs do not repeat their prompt, a docstring."""
    return Passage(task.canonical.removeprefix(task.prompt), task.prompt)


def _languages(index: IndexedSource) -> Iterator[str]:
    for prefix in index.prefixes:
        yield from read_sidecar(prefix, ["language"])["language"].fill_null("").to_pylist()


def bits_per_byte(name: str, model: LocalModel, passages: Passages, seed: int) -> list[Bits]:
    found = []
    for of, texts in bar(f"bits per byte of {name}", len(passages), "kind of text", passages.items()):
        sizes = [len(passage.text.encode()) for passage in texts]
        bits = [_nats(model, passage) / math.log(2) for passage in texts]
        given = any(passage.before for passage in texts)
        found.append(Bits(name, of, given, sizes, bits, ratio(bits, sizes, seed)))
    return found


def _nats(model: LocalModel, passage: Passage) -> float:
    """The prompt's beginning is left out where prompt and text are longer than the model's context."""
    encode = functools.partial(model.tokenizer, add_special_tokens=False)
    before, ids = (encode(text)["input_ids"] for text in (passage.before, passage.text))
    width, start = model.longest - 1, [model.tokenizer.eos_token_id]
    kept = before[len(before) - max(0, min(len(before), width - len(ids))) :]
    total, known = 0.0, len(kept)
    ids = [*kept, *ids]
    for first in range(0, len(ids), width):
        window = ids[first : first + width]
        losses = _losses(model, [*start, *window[:-1]], window)
        total += float(losses[known if first == 0 else 0 :].sum())
    return total


def _losses(model: LocalModel, inputs: list[int], labels: list[int]) -> Tensor:
    """n token ids and n that follow -> nats of each, float32 [n]."""
    import torch  # late: an evaluation that is up to date does not wait for it

    with torch.inference_mode():
        logits = model.model(torch.tensor([inputs], device=model.device)).logits[0].float()
    return torch.nn.functional.cross_entropy(logits, torch.tensor(labels, device=model.device), reduction="none")
