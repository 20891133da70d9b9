"""Bits per byte: a text is worth what the model's own probabilities say, given what stands before it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from snowcoder.config.compose import load_config
from snowcoder.evaluation.bits import Bits, Passage, bits_per_byte, solution_passages
from snowcoder.evaluation.completions import Completion
from snowcoder.evaluation.cut import which_parse
from snowcoder.evaluation.estimate import ratio, ratio_difference
from snowcoder.evaluation.local_model import LocalModel
from snowcoder.evaluation.results import Measurements, changes_between, parsing_of
from snowcoder.evaluation.suites import SUITES
from snowcoder.evaluation.table import results_table
from snowcoder.evaluation.tasks import Asserts, Task


@pytest.fixture(scope="module")
def model(small_model: Path) -> LocalModel:
    return LocalModel(small_model, load_config(["recipe=demo"]).evaluation.generation, 0)


def bits_of(model: LocalModel, passage: Passage) -> float:
    (found,) = bits_per_byte("small", model, {"x": [passage]}, 0)
    return found.bits[0]


def bits_by_hand(model: LocalModel, given: list[int], ids: list[int]) -> float:
    """Token by token, each by a pass of its own."""
    total = 0.0
    for number, label in enumerate(ids):
        inputs = torch.tensor([[model.tokenizer.eos_token_id, *given, *ids[:number]]])
        with torch.inference_mode():
            total -= float(model.model(inputs).logits[0, -1].log_softmax(0)[label])
    return total / math.log(2)


def ids_of(model: LocalModel, text: str) -> list[int]:
    found: list[int] = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    return found


def test_a_solution_is_worth_what_the_model_gives_each_of_its_tokens_after_the_prompt(model: LocalModel) -> None:
    passage = Passage("    return a + b\n", "def add(a, b):\n")
    by_hand = bits_by_hand(model, ids_of(model, passage.before), ids_of(model, passage.text))
    assert bits_of(model, passage) == pytest.approx(by_hand, rel=1e-5)
    assert bits_of(model, Passage(passage.text)) != pytest.approx(by_hand, rel=1e-3)


def test_a_prompt_that_is_too_long_loses_its_beginning(model: LocalModel) -> None:
    text, before = "return a + b", "def add(a, b): # sum\n" * 40
    ids = ids_of(model, text)
    kept = ids_of(model, before)[-(model.longest - 1 - len(ids)) :]
    assert bits_of(model, Passage(text, before)) == pytest.approx(bits_by_hand(model, kept, ids), rel=1e-5)


def test_a_text_longer_than_the_context_is_read_in_windows(model: LocalModel) -> None:
    text = "value = other + value\n" * 40
    ids, width = ids_of(model, text), model.longest - 1
    windows = [ids[first : first + width] for first in range(0, len(ids), width)]
    assert len(windows) > 1
    by_hand = sum(bits_by_hand(model, [], window) for window in windows)
    assert bits_of(model, Passage(text, "x = 1\n" * 200)) == pytest.approx(by_hand, rel=1e-5)


def test_a_solution_is_what_remains_after_the_prompt() -> None:
    repeated = Task("a", "def f():", "def f():\n    return 1\n", {"level": Asserts("")})
    described = Task("b", '"""One."""\n', "def f():\n    return 1\n", {"level": Asserts("")})
    assert solution_passages({"suite": [repeated, described]}) == {
        "suite": [Passage("\n    return 1\n", "def f():"), Passage(described.canonical, described.prompt)]
    }


def test_a_difference_that_all_texts_share_is_told_and_one_of_chance_is_not() -> None:
    sizes = [10 + number % 7 for number in range(100)]
    first = [size * (1 + number % 5 / 10) for number, size in enumerate(sizes)]
    better = [bits - 0.05 * size for bits, size in zip(first, sizes, strict=True)]
    mixed = [bits + (-1) ** number for number, bits in enumerate(first)]
    found = ratio_difference(first, better, sizes, 0)
    assert found.value == pytest.approx(-0.05)
    assert found.high < -0.049
    nothing = ratio_difference(first, mixed, sizes, 0)
    assert nothing.low < 0 < nothing.high
    assert ratio(first, sizes, 0).low < sum(first) / sum(sizes) < ratio(first, sizes, 0).high

    alpha, beta, gamma = (
        Bits(name, "HumanEval", True, sizes, bits, ratio(bits, sizes, 0))
        for name, bits in (("alpha", first), ("beta", better), ("gamma", mixed))
    )
    measured = Measurements([], [], [alpha, beta, gamma])
    text = results_table(measured, changes_between(measured, None, 0))
    assert "given their tasks" in text
    assert "| HumanEval | alpha to beta | -0.050 (-0.050 to -0.050) | better |" in text
    assert "| HumanEval | beta to gamma |" in text
    assert "| worse |" in text
    against = changes_between(measured, "beta", 0).bits_per_byte
    assert [(step.before, step.after) for step in against] == [("beta", "alpha"), ("beta", "gamma")]


@pytest.mark.parametrize(
    ("text", "parses"),
    [
        ("    return 1\n", True),
        ("    return 1\n\n\ndef other(:", True),  # after the first stop
        ("    return 1\n    if x.is_", True),  # the last line may be unfinished
        ("    return (1\n    return 2\n", False),
        ("\n\n", False),
        ("", False),
    ],
)
def test_which_completions_are_python(text: str, parses: bool) -> None:
    task = Task("a", "def f(x):\n", "", {"level": Asserts("")}, stops=("\ndef ",))
    assert which_parse([task], [Completion("a", 0, "", text, 1, 0.1)]) == {("a", 0): parses}


def test_parsing_is_a_property_of_a_suites_completions_whatever_its_levels() -> None:
    tasks = [Task(str(n), "def f(x):\n", "", {"one": Asserts(""), "two": Asserts("")}) for n in range(40)]
    alpha, beta = (
        parsing_of(name, SUITES["mbpp"], tasks, [Completion(str(n), 0, "", texts(n), 1, 0.1) for n in range(40)], 0)
        for name, texts in (
            ("alpha", lambda n: "    return (1\n    return 2\n" if n % 2 else "    return 1\n"),
            ("beta", lambda n: "    return 1\n"),
        )
    )
    measured = Measurements([], [alpha, beta], [])
    text = results_table(measured, changes_between(measured, None, 0))
    assert text.count("| MBPP | 40 | 50.0 (35.2 to 64.8) | 100.0 (") == 1
    assert "| MBPP | alpha to beta | +50.0 (+35.0 to +65.0) | better |" in text
    assert measured.of("beta") == Measurements([], [beta], [])
