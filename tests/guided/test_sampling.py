"""Tokens drawn beside a guide, of scores that are made up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from snowcoder.guided.draws import Draws
from snowcoder.guided.guide import Guide
from snowcoder.guided.names import EngineCounts, Names
from snowcoder.guided.places import PYTHON
from snowcoder.guided.sampling import GuidedSampling, TokenTexts

WORDS = ["<end>", "x", " = ", "paths", ".", "append", "apple", "app", "end", "le", "\n"]


class Words:
    """A tokenizer of whole words."""

    all_special_ids, eos_token_id = (0,), 0

    def __len__(self) -> int:
        return len(WORDS)

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        return [WORDS.index("x")]

    def decode(self, ids: list[int]) -> str:
        return "".join(WORDS[number] for number in ids)


class Known:
    """A source that knows the members of lists, and no other name."""

    def __init__(self) -> None:
        self.counts = EngineCounts()

    def ask(self, before: str, after: str) -> frozenset[str] | None:
        return frozenset({"append", "pop"}) if before.endswith(".") else None


def sampling(rows: int, **more: Any) -> GuidedSampling:
    guides = [Guide(PYTHON, Names(Known()), "", "\n") for _ in range(rows)]
    return GuidedSampling(guides, TokenTexts(Words()), **more)  # type: ignore[arg-type]


def step(guided: GuidedSampling, scores: torch.Tensor, last: str = "x") -> torch.Tensor:
    return guided(torch.full((len(scores), 1), WORDS.index(last)), scores)


def scores_of(rows: int, **words: float) -> torch.Tensor:
    scores = torch.full((rows, len(WORDS)), -torch.inf)
    for word, value in words.items():
        scores[:, WORDS.index(word)] = value
    return scores


def written(found: GuidedSampling, text: str) -> GuidedSampling:
    for row in found.rows:
        row.written = text
    return found


def test_the_best_token_that_is_allowed_is_taken() -> None:
    guided = written(sampling(1), "x = paths.")
    alone = step(guided, scores_of(1, apple=3.0, append=2.0, x=1.0))
    assert alone.argmax().item() == WORDS.index("append")
    assert alone.isfinite().sum() == 1
    assert (guided.counts.tokens, guided.counts.refused) == (1, 1)


def test_draws_are_the_models_without_what_is_not_allowed() -> None:
    rows = 4000
    guided, draws = written(sampling(rows), "x = paths."), Draws([str(row) for row in range(rows)], 1, temperature=0.5)
    ids = torch.full((rows, 1), WORDS.index("x"))
    alone = guided(ids, draws(ids, scores_of(rows, apple=1.0, append=0.35, app=0.0)))
    counts = Counter(WORDS[n] for n in alone.argmax(1).tolist())
    assert set(counts) == {"append", "app"}
    expected = torch.tensor([0.7, 0.0]).softmax(0)[0].item()
    assert counts["append"] / rows == pytest.approx(expected, abs=0.03)


def test_draws_do_not_depend_on_the_batch() -> None:
    scores, ids = torch.zeros(3, len(WORDS)), torch.ones(3, 1, dtype=torch.long)
    together = Draws(["a", "b", "c"], 1, temperature=1.0)(ids, scores)
    assert torch.equal(together[1:2], Draws(["b"], 1, temperature=1.0)(ids[:1], scores[:1]))
    assert not torch.equal(together[0], together[1])
    assert (
        Draws(["a"], 1, temperature=1.0, top_k=2)(ids[:1], scores_of(1, x=1.0, end=2.0, le=3.0)).isfinite().sum() == 2
    )


def test_a_row_of_which_nothing_is_allowed_ends_and_stays_so() -> None:
    guided = written(sampling(1), "x = paths.")
    assert step(guided, scores_of(1, apple=1.0)).argmax().item() == 0
    assert step(guided, scores_of(1, append=1.0), last="<end>").argmax().item() == 0
    assert (guided.rows[0].dead, guided.counts.given_up, guided.counts.tokens) == (True, 1, 1)


def test_a_row_that_others_have_ended_writes_no_more() -> None:
    guided = sampling(2)
    step(guided, scores_of(2, x=1.0))
    guided(torch.tensor([[WORDS.index("x")], [0]]), scores_of(2, end=1.0))
    assert [row.written for row in guided.rows] == ["xend", "x"]


def test_it_ends_at_no_part_of_a_name() -> None:
    guided = written(sampling(2), "x = paths.app")
    guided.rows[1].written = "x = paths.append"
    scores = scores_of(2, end=1.0)
    scores[:, 0] = 2.0
    assert [WORDS[n] for n in step(guided, scores).argmax(1).tolist()] == ["end", "<end>"]


def test_all_tokens_are_tried_where_the_best_are_refused() -> None:
    class Many(Words):
        def __len__(self) -> int:
            return 200

        def decode(self, ids: list[int]) -> str:
            return "".join(WORDS[n] if n < len(WORDS) else f"z{n}" for n in ids)

    guide = Guide(PYTHON, Names(Known()), "", "\n")
    guided = written(GuidedSampling([guide], TokenTexts(Many())), "x = paths.")  # type: ignore[arg-type]
    scores = torch.arange(200.0)[None]
    assert step(guided, scores).argmax().item() == WORDS.index("\n")
    assert guided.counts.refused == 200 - len(WORDS)


def test_a_name_of_which_one_is_left_is_completed() -> None:
    guided = written(sampling(1, active=True), "x = paths.")
    assert step(guided, scores_of(1, app=1.0)).argmax().item() == WORDS.index("app")
    assert guided.rows[0].pending == "end"
    assert step(guided, scores_of(1, le=5.0, end=1.0), last="app").argmax().item() == WORDS.index("end")
    assert (guided.rows[0].written, guided.rows[0].pending, guided.counts.forced) == ("x = paths.append", "", 1)


def test_tokens_of_words_keep_their_first_space() -> None:
    class Stripping(Words):
        def decode(self, ids: list[int]) -> str:
            return super().decode(ids).lstrip()

    assert TokenTexts(Stripping()).texts[2] == " = "  # type: ignore[arg-type]


def test_a_real_model_writes_no_member_that_is_not_one(small_model: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessorList

    tokenizer, model = AutoTokenizer.from_pretrained(small_model), AutoModelForCausalLM.from_pretrained(small_model)
    given = "def f(paths: list[str]):\n"
    start = given + "    return paths."
    guides = [Guide(PYTHON, Names(Known()), start, "\n") for _ in range(8)]
    guided = GuidedSampling(guides, TokenTexts(tokenizer))
    inputs = tokenizer([start] * 8, return_tensors="pt")
    draws = Draws([str(n) for n in range(8)], inputs["input_ids"].shape[1], temperature=1.0)
    processors = LogitsProcessorList([draws, guided])
    model.generate(**inputs, max_new_tokens=4, do_sample=False, logits_processor=processors)
    for row in guided.rows:
        name = row.written.split("(")[0]
        assert not name[:1].isalpha() or any(member.startswith(name) for member in ("append", "pop")) or "." in name
    assert guided.counts.refused > 0
