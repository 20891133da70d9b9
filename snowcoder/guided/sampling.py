"""Takes the tokens of a transformers model beside a guide: the last logits processor of `generate`.

It takes the best token that is allowed. Where `Draws` comes before it, that is a draw of the model with what is not
allowed left out, exactly: the guide looks at tokens in the order in which they would be drawn, few of them, and not at
the vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from snowcoder.guided.guide import Guide

_AT_ONCE = 64  # tokens that are brought into their order first; then all
_MOST = 2048  # tokens that are tried for one, before the row is given up


@dataclass
class TokenCounts:
    tokens: int = 0  # that were written, an end included
    refused: int = 0
    forced: int = 0  # that followed from the completion of a name
    given_up: int = 0  # rows that ended because nothing was allowed
    seconds: float = 0.0  # of guiding, the engine's included


@dataclass
class GuidedRow:
    """One sample: what it has written, and what it must write next."""

    guide: Guide
    written: str = ""
    pending: str = ""
    dead: bool = False  # no token was allowed: it ended there
    ended: bool = False
    tokens: list[int] = field(default_factory=list)


class TokenTexts:
    """What each token of a tokenizer writes behind another; and which ones end a text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        anchor = tokenizer.encode("a", add_special_tokens=False)[-1:]  # tokenizers of words drop a first space
        before = len(tokenizer.decode(anchor))
        self.texts = [str(tokenizer.decode([*anchor, number]))[before:] for number in range(len(tokenizer))]
        self.ends = {number for number in tokenizer.all_special_ids if number is not None}
        self.end = int(tokenizer.eos_token_id)


class GuidedSampling(LogitsProcessor):
    """`guides`: of each row. `active`: names are completed where one is left."""

    def __init__(
        self, guides: Sequence[Guide], tokens: TokenTexts, active: bool = False, counts: TokenCounts | None = None
    ) -> None:
        self.rows = [GuidedRow(guide) for guide in guides]
        self.tokens, self.active, self.counts = tokens, active, counts or TokenCounts()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`input_ids` int64 [rows, tokens], `scores` float [rows, vocabulary]: all but one of a row become -inf."""
        started = time.perf_counter()
        values = scores.float().cpu()
        best = values.topk(min(_AT_ONCE, values.shape[1]))
        last = input_ids[:, -1].tolist()
        orders = [_in_order(*each) for each in zip(values, best.indices, best.values, strict=True)]
        chosen = torch.tensor([self._next(*each) for each in zip(self.rows, last, orders, strict=True)])
        alone = torch.full_like(scores, -torch.inf)
        alone[torch.arange(len(chosen)), chosen.to(scores.device)] = 0
        self.counts.seconds += time.perf_counter() - started
        return alone

    def _next(self, row: GuidedRow, last: int, order: Iterator[int]) -> int:
        if row.ended or (row.tokens and row.tokens[-1] != last):  # others ended it: a stop, the limit of tokens
            row.ended = True
            return self.tokens.end
        token = next((each for each in order if self._fits(row, each)), None)
        if token is None:
            row.dead = True
            self.counts.given_up += 1
            token = self.tokens.end
        self.counts.tokens += 1
        row.tokens.append(token)
        row.ended = token in self.tokens.ends
        if not row.ended:
            self._write(row, self.tokens.texts[token])
        return token

    def _fits(self, row: GuidedRow, token: int) -> bool:
        text = self.tokens.texts[token]
        if token in self.tokens.ends:
            fits = not row.pending and row.guide.may_end(row.written)
        elif row.pending:
            longer = text.startswith(row.pending) and len(text) > len(row.pending)
            fits = row.pending.startswith(text) if not longer else row.guide.allows(row.written, text)
        else:
            fits = not text or row.guide.allows(row.written, text)
        self.counts.refused += not fits
        return fits

    def _write(self, row: GuidedRow, text: str) -> None:
        self.counts.forced += bool(row.pending)
        row.written += text
        row.pending = row.pending.removeprefix(text) if row.pending.startswith(text) else ""
        if self.active and not row.pending:
            row.pending = row.guide.continuation(row.written)


def _in_order(scores: torch.Tensor, best: torch.Tensor, values: torch.Tensor) -> Iterator[int]:
    """Tokens from the best on. `scores` float [vocabulary], -inf for what cannot be drawn; `best` int64 [few] the first
    of them, `values` float [few] their scores."""
    first = best[values > -torch.inf].tolist()
    yield from first
    if len(first) == len(best) < len(scores):
        rest = scores.topk(min(_MOST, len(scores)))
        yield from (each for each in rest.indices[rest.values > -torch.inf].tolist() if each not in first)
