"""Tokens drawn beside a guide, of scores that are made up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from snowcoder.guided.guide import Guide
from snowcoder.guided.names import EngineCounts, Names
from snowcoder.guided.places import PYTHON
from snowcoder.guided.sampling import GuidedSampling

WORDS = ["<end>", "x", " = ", "paths", ".", "append", "apple", "app", "end", "le", "\n"]


class Words:
    """A tokenizer of whole words."""

    all_special_ids, eos_token_id = (0,), 0

    def __len__(self) -> int:
        return len(WORDS)

    def decode(self, ids: list[int]) -> str:
        return WORDS[ids[0]]


class Known:
    """A source that knows the members of lists, and no other name."""

    def __init__(self) -> None:
        self.counts = EngineCounts()

    def ask(self, before: str, after: str) -> frozenset[str] | None:
        return frozenset({"append", "pop"}) if before.endswith(".") else None


def sampling(rows: int, seed: int | None, **more: Any) -> GuidedSampling:
    guides = [Guide(PYTHON, Names(Known()), "", "\n") for _ in range(rows)]
    return GuidedSampling(guides, Words(), seed, **more)  # type: ignore[arg-type]


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
    guided = written(sampling(1, None), "x = paths.")
    alone = guided(torch.zeros(1, 1, dtype=torch.long), scores_of(1, apple=3.0, append=2.0, x=1.0))
    assert alone.argmax().item() == WORDS.index("append")
    assert alone.isfinite().sum() == 1
    assert guided.rows[0].refused == 1


def test_draws_are_the_models_without_what_is_not_allowed() -> None:
    rows = 4000
    guided = written(sampling(rows, 1), "x = paths.")
    alone = guided(torch.zeros(rows, 1, dtype=torch.long), scores_of(rows, apple=2.0, append=0.7, app=0.0))
    counts = Counter(WORDS[n] for n in alone.argmax(1).tolist())
    assert set(counts) == {"append", "app"}
    expected = torch.tensor([0.7, 0.0]).softmax(0)[0].item()
    assert counts["append"] / rows == pytest.approx(expected, abs=0.03)


def test_a_row_of_which_nothing_is_allowed_ends_and_stays_so() -> None:
    guided = written(sampling(1, None), "x = paths.")
    for _ in range(2):
        assert guided(torch.zeros(1, 1, dtype=torch.long), scores_of(1, apple=1.0)).argmax().item() == 0
    assert guided.rows[0].dead


def test_a_name_of_which_one_is_left_is_completed() -> None:
    guided = written(sampling(1, None, active=True), "x = paths.")
    step = torch.zeros(1, 1, dtype=torch.long)
    assert guided(step, scores_of(1, app=1.0)).argmax().item() == WORDS.index("app")
    assert guided.rows[0].pending == "end"
    assert guided(step, scores_of(1, le=5.0, end=1.0)).argmax().item() == WORDS.index("end")
    assert (guided.rows[0].written, guided.rows[0].pending, guided.rows[0].forced) == ("x = paths.append", "", 1)


def test_a_real_model_writes_no_member_that_is_not_one(small_model: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessorList

    tokenizer, model = AutoTokenizer.from_pretrained(small_model), AutoModelForCausalLM.from_pretrained(small_model)
    given = "def f(paths: list[str]):\n"
    start = given + "    return paths."
    guides = [Guide(PYTHON, Names(Known()), start, "\n") for _ in range(8)]
    guided = GuidedSampling(guides, tokenizer, 1)
    inputs = tokenizer([start] * 8, return_tensors="pt")
    model.generate(**inputs, max_new_tokens=4, do_sample=False, logits_processor=LogitsProcessorList([guided]))
    for row in guided.rows:
        name = row.written.split("(")[0]
        assert not name[:1].isalpha() or any(member.startswith(name) for member in ("append", "pop")) or "." in name
    assert sum(row.refused for row in guided.rows) > 0
