"""Draws of tokens as a function: of a key, such as seed, task and sample, and of the position; not of the batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import xxhash
from torch import Tensor
from transformers import LogitsProcessor
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper


class Draws(LogitsProcessor):
    """Sampling as the largest of logits plus Gumbel noise; `generate` must take the largest (do_sample=False).

    `keys`: of each row; `width`: tokens of the prompts, as they are padded. top_k 0: all.
    """

    def __init__(self, keys: Sequence[str], width: int, temperature: float, top_p: float = 1.0, top_k: int = 0) -> None:
        self.keys, self.width = keys, width
        self.warpers: list[LogitsProcessor] = [TemperatureLogitsWarper(temperature), TopPLogitsWarper(top_p)]
        if top_k:
            self.warpers.insert(1, TopKLogitsWarper(top_k))

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`input_ids` int64 [rows, tokens], `scores` float [rows, vocabulary], and so is what it returns."""
        for warper in self.warpers:
            scores = warper(input_ids, scores)
        position = input_ids.shape[1] - self.width
        return scores + torch.stack([_gumbel(f"{key}/{position}", scores.shape[1]) for key in self.keys]).to(scores)


def _gumbel(key: str, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(xxhash.xxh3_64_intdigest(key.encode()) >> 1)
    uniform = torch.rand(size, generator=generator, dtype=torch.float64).clamp_min(1e-300)
    return -torch.log(-torch.log(uniform))
