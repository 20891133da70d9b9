"""Templates: what is given of a patch, and what of a text is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from snowcoder.config.schema import Config
from snowcoder.evaluation.completions import Completion
from snowcoder.repair.bugs import Bug
from snowcoder.repair.prompts import Gap, Sample, samples_of
from snowcoder.repair.read import read_bugs

BUG = Bug("b", "python", "def f(x):\n", "    y = x - 1", "\n    return y\n", "    y = x + 1")
TWO = Bug("t", "java", "int f(int x) {\n", "  x++;\n  x--;", "\n  return x;\n}\n", "  x--;")
NONE = Bug("n", "java", "int f(int x) {\n", "", "\n  return x;\n}\n", "  x++;")


def sample_of(config: Config, bug: Bug, number: int) -> Sample:
    return list(samples_of(bug, config.repair))[number]


def patch(sample: Sample, text: str, tokens: int = 5, infill: bool = False) -> str | None:
    return sample.patch(Completion(*sample.request.key, sample.request.prompt, text, tokens, 1.0), 20, infill)


def test_samples_have_equal_parts_of_the_templates(config_of: Callable[..., Config]) -> None:
    config = config_of("repair.generation.samples=12", "repair.prompt=infill")
    (bug,) = read_bugs(config.repair)
    samples = list(samples_of(bug, config.repair))
    assert Counter(sample.gap.template for sample in samples) == {"hunk": 4, "line_start": 4, "line_end": 4}
    starts = [sample.gap.start for sample in samples if sample.gap.template == "line_start"]
    assert starts == ["        found", "        found =", "        found = min", "        found = min("]
    ends = [sample.gap.end for sample in samples if sample.gap.template == "line_end"]
    assert ends[:2] == [" = min(found, each)", " min(found, each)"]
    fewer = list(samples_of(bug, config_of("repair.generation.samples=5", "repair.prompt=infill").repair))
    assert [sample.request.key for sample in fewer] == [sample.request.key for sample in samples[:5]]
    left_to_right = samples_of(bug, config_of("repair.generation.samples=4").repair)
    assert [sample.gap.template for sample in left_to_right] == ["hunk", "line_start", "hunk", "line_start"]


def test_a_hunk_of_no_lines_is_written_whole(config_of: Callable[..., Config]) -> None:
    samples = list(samples_of(NONE, config_of("repair.templates=[line_start,line_end]").repair))
    assert {sample.gap.template for sample in samples} == {"hunk"}
    assert samples[0].request.task.prompt == "int f(int x) {\n  // Missing code:\n"


def test_left_to_right_the_buggy_lines_are_a_comment(config_of: Callable[..., Config]) -> None:
    whole, start = list(samples_of(BUG, config_of().repair))[:2]
    prompt = "def f(x):\n    # Buggy code:\n    # y = x - 1\n    # Fixed code:\n"
    assert whole.request.task.prompt == prompt
    assert start.request.task.prompt == prompt + "    y"
    assert whole.request.task.suffix == ""


def test_infilling_sees_what_is_behind(config_of: Callable[..., Config]) -> None:
    _, start, end = list(samples_of(BUG, config_of("repair.prompt=infill").repair))[:3]
    assert (start.request.task.prompt, start.request.task.suffix) == ("def f(x):\n    y", "\n    return y\n")
    assert (end.request.task.prompt, end.request.task.suffix) == ("def f(x):\n", " = x - 1\n    return y\n")
    assert (start.gap.replaced, end.gap.replaced) == (" = x - 1", "    y")
    assert patch(end, "    z", infill=True) == "    z = x - 1"
    assert patch(end, "    z", tokens=20, infill=True) is None


@pytest.mark.parametrize(
    ("bug", "gap", "text", "tokens", "expected"),
    [
        (BUG, Gap(BUG, "hunk"), "    y = 2\n", 5, "    y = 2"),
        (BUG, Gap(BUG, "hunk"), "    y = 2\n    z = 3\n", 5, "    y = 2"),  # as many lines as the hunk has
        (BUG, Gap(BUG, "hunk"), "    y = 2", 5, "    y = 2"),  # the model's own end
        (BUG, Gap(BUG, "hunk"), "    y = 2 +", 20, None),  # no token was left
        (BUG, Gap(BUG, "line_start", start="    y ="), " 7\n", 5, "    y = 7"),
        (TWO, Gap(TWO, "hunk"), "  x = 1;\n  x = 2;\n  x = 3;\n", 20, "  x = 1;\n  x = 2;"),
        (TWO, Gap(TWO, "hunk"), "  x = 1;\n  return x;\n", 20, "  x = 1;"),  # the line behind the hunk
        (TWO, Gap(TWO, "hunk"), "  x = 1;\n  x = 2", 20, None),
    ],
)
def test_what_of_a_text_is_the_patch(bug: Bug, gap: Gap, text: str, tokens: int, expected: str | None) -> None:
    from snowcoder.evaluation.completions import CompletionRequest
    from snowcoder.evaluation.tasks import Task

    sample = Sample(gap, 0, CompletionRequest(Task(gap.name, "", "", {}), 0))
    assert patch(sample, text, tokens) == expected
