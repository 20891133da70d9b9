"""Completions by transformers, from an exported folder.

In fp32 they do not depend on the batch: a row's positions begin at its own first token, and random draws are a function
of seed, task, sample and position. (Sums in another order can still decide an exact tie; none was seen.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, StoppingCriteria

from snowcoder.config.evaluation_schema import GenerationConfig
from snowcoder.evaluation.completions import Completion, CompletionRequest
from snowcoder.evaluation.context import room
from snowcoder.evaluation.prefix import model_inputs
from snowcoder.evaluation.tasks import Task
from snowcoder.guided.draws import Draws
from snowcoder.pretrained.load import load_part, load_whole
from snowcoder.tokenization.special import FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX

_TAIL = 24  # tokens that are looked through for a stop
Beside = Callable[[list[CompletionRequest]], LogitsProcessor]
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class LocalModel:
    def __init__(self, folder: Path, config: GenerationConfig, seed: int) -> None:
        self.config, self.seed = config, seed
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer: Any = load_part(lambda: AutoTokenizer.from_pretrained(folder), folder)
        model = load_whole(AutoModelForCausalLM, folder, dtype=_DTYPES[config.dtype])
        self.model = model.to(self.device).eval()
        self.longest: int = self.model.config.max_position_embeddings

    def complete(
        self, requests: list[CompletionRequest], new_tokens: int, beside: Beside | None = None
    ) -> Iterator[list[Completion]]:
        """In batches of prompts of similar length. `beside`: has the last word on each token of a batch."""
        encoded = [(self.encode(request.task, new_tokens), request) for request in requests]
        encoded.sort(key=lambda pair: len(pair[0]), reverse=True)
        for first in range(0, len(encoded), self.config.batch):
            part = encoded[first : first + self.config.batch]
            yield self._complete([ids for ids, _ in part], [request for _, request in part], new_tokens, beside)

    def encode(self, task: Task, new_tokens: int) -> list[int]:
        """The prompt's ids; of one that leaves no room for an answer, the end."""
        most = self.longest - room(new_tokens, self.longest)
        if not task.suffix:
            found: list[int] = self.tokenizer(task.prompt)["input_ids"][-most:]
            return found
        prefix, suffix = (
            self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (task.prompt, task.suffix)
        )
        before, between, after = self.tokenizer.convert_tokens_to_ids([FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE])
        half = (most - 3) // 2
        suffix = suffix[:half]
        return [before, *prefix[-(2 * half - len(suffix)) :], between, *suffix, after]

    @property
    def can_infill(self) -> bool:
        vocabulary = self.tokenizer.get_vocab()
        return all(token in vocabulary for token in (FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE))

    @torch.inference_mode()
    def _complete(
        self, ids: list[list[int]], batch: list[CompletionRequest], new_tokens: int, beside: Beside | None
    ) -> list[Completion]:
        started = time.monotonic()
        width = max(map(len, ids))
        limits = [min(new_tokens, self.longest - len(row)) for row in ids]
        padding = self.tokenizer.pad_token_id or self.tokenizer.eos_token_id or 0
        clock = _Clock()
        stops = _Stops(self.tokenizer, [request.task.stops for request in batch], limits, width)
        outputs = self.model.generate(
            **model_inputs(self.model, ids, padding),
            max_new_tokens=max(limits),
            do_sample=False,
            pad_token_id=padding,
            logits_processor=[clock, *self._processors(batch, width), *([beside(batch)] if beside else [])],
            stopping_criteria=[stops],
        )
        end = self.tokenizer.eos_token_id
        seconds = round(time.monotonic() - started, 3)
        completions = []
        for request, row, limit in zip(batch, outputs[:, width:].tolist(), limits, strict=True):
            written = row[: row.index(end) if end in row else len(row)][:limit]
            text = str(self.tokenizer.decode(written, skip_special_tokens=True))
            reading = round(clock.first - started, 3)
            about = (*request.key, request.prompt, text, len(written), seconds)
            completions.append(Completion(*about, reading=reading))
        return completions

    def _processors(self, batch: list[CompletionRequest], width: int) -> list[LogitsProcessor]:
        if not self.config.temperature:
            return []
        keys = [f"{self.seed}/{request.task.name}/{request.sample}" for request in batch]
        return [Draws(keys, width, self.config.temperature, self.config.top_p)]


class _Clock(LogitsProcessor):
    """Changes nothing, and knows when the prompts were read."""

    first = 0.0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.first = self.first or time.monotonic()
        return scores


class _Stops(StoppingCriteria):
    """A row is done with the first of its stops, or when it has all the tokens that there is room for."""

    def __init__(self, tokenizer: Any, stops: list[tuple[str, ...]], limits: list[int], width: int) -> None:
        self.tokenizer, self.stops, self.limits, self.width = tokenizer, stops, limits, width

    def __call__(self, ids: Tensor, scores: Any, **_: Any) -> Tensor:
        written = ids.shape[1] - self.width
        tails = self.tokenizer.batch_decode(ids[:, max(self.width, ids.shape[1] - _TAIL) :])
        done = [
            written >= limit or any(stop in tail for stop in stops)
            for tail, stops, limit in zip(tails, self.stops, self.limits, strict=True)
        ]
        return torch.tensor(done, device=ids.device)
