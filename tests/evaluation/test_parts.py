"""What of a completion counts, what is kept of an interrupted run, and the arithmetic of results."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from snowcoder.evaluation.completions import Completion, CompletionRequest, Completions
from snowcoder.evaluation.context import length_of
from snowcoder.evaluation.cut import cut_completion
from snowcoder.evaluation.estimate import difference, estimate, pass_at_k
from snowcoder.evaluation.readers import FUNCTION_STOPS
from snowcoder.evaluation.results import (
    Changes,
    Judged,
    Measurements,
    Result,
    changes_between,
    evoeval_means,
    results_of,
)
from snowcoder.evaluation.score import Verdict
from snowcoder.evaluation.suites import EVOEVAL, SUITES
from snowcoder.evaluation.table import results_table
from snowcoder.evaluation.tasks import Asserts, Task

TASK = Task("1", 'def f(x):\n    """Add one."""', "", {"HumanEval": Asserts("")}, stops=FUNCTION_STOPS)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\n    return x + 1\n\ndef g(): pass", "\n    return x + 1\n"),
        ("\n    return x + 1\nprint(f(1))", "\n    return x + 1"),
        ("\n    y = [x,\n         1]\n    return su", "\n    y = [x,\n         1]\n    return su"),
        ("\n    y = 1\n    z = [x,\n         1", "\n    y = 1"),
        ("\n\treturn x", "\n    return x"),
        ("\n    return x<|endoftext|>garbage (", "\n    return x"),
    ],
)
def test_what_counts_ends_before_a_stop_and_is_python(text: str, kept: str) -> None:
    assert cut_completion(TASK, text) == kept


def test_completions_survive_a_kill_and_not_other_settings(tmp_path: Path) -> None:
    path, settings = tmp_path / "c.jsonl", {"model": "m", "temperature": 0.0}
    wanted = [CompletionRequest(TASK, sample) for sample in range(3)]
    prompt = wanted[0].prompt
    store = Completions(path, settings)
    assert store.missing(wanted) == wanted
    store.add([Completion("1", 0, prompt, "a\nb", 2, 0.1)])
    store.add([Completion("1", 1, prompt, "c", 1, 0.1)])
    torn = path.read_text()[:-9]
    path.write_text(torn)
    again = Completions(path, settings)
    assert again.missing(wanted) == wanted[1:]
    again.add([Completion("1", 1, prompt, "c", 1, 0.1)])
    assert [c.text for c in Completions(path, settings).found.values()] == ["a\nb", "c"]
    reworded = CompletionRequest(replace(TASK, prompt="def g(x):"), 0)
    assert again.missing([wanted[0], reworded]) == [reworded]
    assert Completions(path, {**settings, "temperature": 0.8}).missing(wanted) == wanted


def test_a_completion_without_a_text_that_an_earlier_version_kept_is_asked_again(tmp_path: Path) -> None:
    path, wanted = tmp_path / "c.jsonl", [CompletionRequest(TASK, sample) for sample in range(3)]
    texts = [None, "x # \ud83d", "y # \U0001f600"]
    rows = [vars(Completion("1", n, wanted[0].prompt, text, 1, 0.1)) for n, text in enumerate(texts)]  # type: ignore[arg-type]
    path.write_text("".join(json.dumps(row) + "\n" for row in [{}, *rows]))
    assert Completions(path, {}).missing(wanted) == wanted[:2]
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("refusal", "length"),
    [
        (
            "This model's maximum context length is 512 tokens and your request has 188 input tokens (512 > 512 - 188)",
            (512, 188),
        ),
        (
            "maximum context length is 512 tokens. However, you requested 700 tokens (600 in the messages, 100 in",
            (512, 600),
        ),
        ("maximum context length is 512 tokens. However, you requested 700 tokens", (512, 600)),
        ("maximum context length is 512 tokens. Your prompt contains at least 413 input tokens", (512, None)),
        ("request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it", (8192, 9412)),
        ("`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1990 `inputs` tokens and 100", (2048, 1990)),
        ("The input (700 tokens) is longer than the model's context length (512 tokens).", (512, 700)),
        ("max_tokens=100 is more than max_model_len=64", (64, None)),
        ("The prompt is too long", (None, None)),
        ("temperature must be at most 2", None),
    ],
)
def test_what_servers_say_of_a_prompt_that_is_too_long(refusal: str, length: tuple[int | None, int | None]) -> None:
    assert length_of(refusal, 100) == length


@pytest.mark.parametrize(("samples", "right", "k"), [(5, 2, 1), (5, 2, 3), (6, 0, 2), (4, 4, 4), (7, 6, 2)])
def test_pass_at_k_is_the_share_of_all_draws_with_a_right_one(samples: int, right: int, k: int) -> None:
    draws = list(itertools.combinations(range(samples), k))
    assert pass_at_k(samples, right, k) == pytest.approx(sum(min(draw) < right for draw in draws) / len(draws))


def test_intervals() -> None:
    nothing = estimate(1, [0] * 164, 1, seed=0)
    assert (nothing.value, nothing.low) == (0, 0)
    assert 0.015 < nothing.high < 0.03
    half = estimate(10, [5] * 50, 1, seed=0)
    assert half.low == half.value == half.high == 0.5  # every task alike
    better = difference([0.0] * 90 + [1.0] * 10, [0.0] * 60 + [1.0] * 40, seed=0)
    assert better.value == pytest.approx(0.3)
    assert 0.15 < better.low < better.high < 0.45


def test_models_side_by_side() -> None:
    tasks = [Task(str(number), "", "", {"level": Asserts("")}) for number in range(100)]
    results: list[Result] = []
    for model, right in (("alpha", 10), ("beta", 40)):
        for suite in EVOEVAL:
            found = {(task.name, 0): Verdict("failed", "", {"level": int(task.name) < right}) for task in tasks}
            left = ["top_k"] if suite == EVOEVAL[0] else []
            results += results_of(Judged(model, SUITES[suite], tasks, found, {}, left), [1], 0)
    means = evoeval_means(results, 0)
    assert [(mean.level, mean.tasks, mean.pass_at["1"].value) for mean in means] == [
        ("EvoEval", 500, 0.1),
        ("EvoEval", 500, 0.4),
    ]
    measured = Measurements(means, [], [])
    changes = changes_between(measured, None, 0)
    (change,) = changes.pass_at_1
    assert (change.before, change.after, change.difference.value) == ("alpha", "beta", pytest.approx(0.3))
    text = results_table(measured, changes)
    assert "| EvoEval | 500 | pass@1 | 10.0 (7.7 to 12.9) | 40.0 (35.8 to 44.4) |" in text
    assert "| **beta** | this run | – | – | 40.0 | – |" in text
    assert "| Arctic-SnowCoder final | 550B+5B | 28.0 | 42.9 | 18.0 | 19.4 |" in text
    assert "| EvoEval | alpha to beta | +30.0" in text
    assert "As the server has it, which refused to be told: top_k" in text


def test_the_papers_rows_stand_only_beside_ones_that_can_be_compared() -> None:
    tasks = [Task(str(number), "", "", {"HumanEval+": Asserts("")}) for number in range(164)]
    found = {(task.name, 0): Verdict("passed", "", {"HumanEval+": True}) for task in tasks}
    suite = SUITES["humaneval_plus"]
    whole = results_of(Judged("whole", suite, tasks, found, {}, []), [1], 0)
    few = dict(list(found.items())[:24])
    some = results_of(Judged("some", suite, tasks[:24], few, {}, []), [1], 0)
    assert "Arctic-SnowCoder" not in results_table(Measurements(some, [], []), Changes())
    beside = results_table(Measurements([*some, *whole], [], []), Changes()).partition("beside the paper's table 2")[2]
    assert "| **whole** | this run | 100.0 | – | – | – |" in beside
    assert "**some**" not in beside


def test_levels_of_one_name_are_told_apart_by_their_suites() -> None:
    results = []
    for suite, count in (("mbpp", 50), ("mbpp_plus", 30)):
        tasks = [Task(str(number), "", "", {"MBPP": Asserts("")}) for number in range(count)]
        for model in ("alpha", "beta"):
            found = {(task.name, 0): Verdict("passed", "", {"MBPP": suite == "mbpp"}) for task in tasks}
            judged = Judged(model, SUITES[suite], tasks, found, {}, [])
            results += results_of(judged, [10 if model == "beta" else 1], 0)
    measured = Measurements(results, [], [])
    changes = changes_between(measured, None, 0)
    text = results_table(measured, changes)
    assert "| MBPP (mbpp) | 50 | pass@1 | 100.0" in text
    assert "| MBPP (mbpp_plus) | 30 | pass@1 | 0.0" in text
    assert [(change.level, change.before, change.after) for change in changes.pass_at_1] == [
        ("MBPP (mbpp)", "alpha", "beta"),
        ("MBPP (mbpp_plus)", "alpha", "beta"),
    ]
