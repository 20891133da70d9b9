"""Draws tokens of a transformers model beside a guide: the last logits processor of `generate`.

The draw is that of the model with what is not allowed left out: tokens in the order of their scores with Gumbel's
noise, of which the first allowed one is taken. So the guide looks at few tokens, not at the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from snowcoder.guided.guide import Guide

_TRIED = 64  # tokens of a place, before the row is given up


@dataclass
class GuidedRow:
    """One sample: what it has written, and what it must write next."""

    guide: Guide
    written: str = ""
    pending: str = ""
    dead: bool = False  # no token was allowed: it ended there
    refused: int = 0
    forced: int = 0  # tokens that followed from the completion of a name
    tokens: list[int] = field(default_factory=list)


class GuidedSampling(LogitsProcessor):
    """`guides`: of each row. With no seed the best token is taken; `active`: names are completed where one is left."""

    def __init__(
        self, guides: Sequence[Guide], tokenizer: PreTrainedTokenizerBase, seed: int | None, active: bool = False
    ) -> None:
        self.rows = [GuidedRow(guide) for guide in guides]
        self.active = active
        self.texts = [str(tokenizer.decode([number])) for number in range(len(tokenizer))]
        self.ends = {number for number in tokenizer.all_special_ids if number is not None}
        self.end = int(tokenizer.eos_token_id)
        self.noise = None if seed is None else torch.Generator().manual_seed(seed)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`input_ids` int64 [rows, tokens], `scores` float [rows, vocabulary]: all but one of a row become -inf."""
        chosen = torch.tensor([self._next(row, each) for row, each in zip(self.rows, self._drawn(scores), strict=True)])
        alone = torch.full_like(scores, -torch.inf)
        alone[torch.arange(len(chosen)), chosen.to(scores.device)] = 0
        return alone

    def _drawn(self, scores: torch.Tensor) -> list[list[int]]:
        """The tokens of each row in the order in which they would be drawn, at most `_TRIED`."""
        values = scores.float().cpu()
        if self.noise is not None:
            values = values - torch.empty_like(values).exponential_(generator=self.noise).log()
        best = values.topk(min(_TRIED, values.shape[1]))
        return [ids[row.isfinite()].tolist() for row, ids in zip(best.values, best.indices, strict=True)]

    def _next(self, row: GuidedRow, drawn: list[int]) -> int:
        if row.dead or (row.tokens and row.tokens[-1] in self.ends):
            return self.end
        token = next((each for each in drawn if self._fits(row, each)), None)
        row.dead = token is None
        if token is None:
            return self.end
        row.tokens.append(token)
        if token not in self.ends:
            self._write(row, self.texts[token])
        return token

    def _fits(self, row: GuidedRow, token: int) -> bool:
        text = self.texts[token]
        if row.pending:
            fits = token not in self.ends and (row.pending.startswith(text) or text.startswith(row.pending))
        else:
            fits = token in self.ends or not text or row.guide.allows(row.written, text)
        row.refused += not fits
        return fits

    def _write(self, row: GuidedRow, text: str) -> None:
        row.forced += bool(row.pending)
        row.written += text
        row.pending = row.pending.removeprefix(text) if row.pending.startswith(text) else ""
        if self.active and not row.pending:
            row.pending = row.guide.continuation(row.written)
