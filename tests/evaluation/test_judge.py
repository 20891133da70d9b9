"""Right programs pass, wrong ones do not: by assertions and by outputs, in the sandbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from snowcoder.evaluation.calibrate import calibrate_limits
from snowcoder.evaluation.score import Candidate, Verdict, score
from snowcoder.evaluation.suites import SUITES
from snowcoder.evaluation.tasks import Asserts, Check, Outputs, Task
from snowcoder.sandbox.sandbox import Sandbox

SUITE = SUITES["humaneval_plus"]


def judged(sandbox: Sandbox, folder: Path, canonical: str, check: Check, *programs: str) -> list[Verdict]:
    task = Task("a task", "", canonical, {"level": check})
    calibration = calibrate_limits(SUITE, [task], sandbox, folder / "calibration.json")
    assert calibration.failures() == {}
    return score(SUITE, [Candidate(task, program) for program in [canonical, *programs]], calibration, sandbox)


def passed(verdicts: list[Verdict]) -> list[bool]:
    return [verdict.passed for verdict in verdicts]


def test_outputs_are_compared_as_evalplus_does(sandbox: Sandbox, tmp_path: Path) -> None:
    programs = [
        "def half(x): return x / 2 + 1e-9",
        "def half(x): return x / 2 + 1e-3",
        "def half(x): return int(x / 2)",
        "def half(x): return str(x / 2)",
        "def half(x): return None",
        "def double(x): return x / 2",
        "def half(x): raise ValueError",
    ]
    check = Outputs("half", [[1], [2], [5]], "evalplus", 1e-6)
    verdicts = judged(sandbox, tmp_path, "def half(x): return x / 2", check, *programs)
    assert passed(verdicts) == [True, True, False, False, False, False, False, False]
    assert verdicts[2].error == "AssertionError: call 0: another output"
    assert verdicts[-1].error == "ValueError: "


def test_evoeval_tells_types_apart(sandbox: Sandbox, tmp_path: Path) -> None:
    programs = ["def f(a, b): return [a, (b, b)]", "def f(a, b): return [a, [b, float(b)]]", "def f(a, b): return [a]"]
    check = Outputs("f", ["1, 2", "'x', {'k': 3}['k']"], "evoeval")
    verdicts = judged(sandbox, tmp_path, "def f(a, b): return [a, [b, b]]", check, *programs)
    assert passed(verdicts) == [True, False, False, False]


def test_a_program_may_use_the_judges_names_and_print_and_keep_its_input(sandbox: Sandbox, tmp_path: Path) -> None:
    program = """
import sys
def judge(x): return x
def calls(x): return judge(x)
def is_floats(x): return calls(x)
def f(x):
    print("x" * 10_000_000, flush=True)
    sys.stderr.write("y" * 10_000_000)
    x.append(1)
    return is_floats(len(x))
"""
    verdicts = judged(
        sandbox, tmp_path, "def f(x): return len(x) + 1", Outputs("f", [[[]], [[2]]], "evalplus"), program
    )
    assert passed(verdicts) == [True, True]


def test_a_call_that_takes_too_long_is_stopped_though_it_catches_everything(sandbox: Sandbox, tmp_path: Path) -> None:
    stubborn = """
def f(x):
    while True:
        try:
            while True: pass
        except BaseException: pass
"""
    plain = "def f(x):\n    while True: pass"
    asleep = "import time\ndef f(x):\n    time.sleep(1000)"
    check = Outputs("f", [[number] for number in range(3)], "evalplus")
    verdicts = judged(sandbox, tmp_path, "def f(x): return x", check, stubborn, plain, asleep)
    assert [verdict.status for verdict in verdicts] == ["passed", "timeout", "timeout", "timeout"]


def test_outputs_that_cannot_be_written_down_are_made_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    """A class of the program's own, and one that is too large."""
    canonical = """
class Pair:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return type(other).__name__ == "Pair" and self.x == other.x
def f(x): return Pair(x)
"""
    wrong = canonical.replace("Pair(x)", "Pair(x + 1)")
    verdicts = judged(sandbox, tmp_path, canonical, Outputs("f", [[1], [2]], "evalplus"), wrong)
    assert passed(verdicts) == [True, False]
    large = "import random\ndef f(x): return random.Random(x).randbytes(8 << 20)"
    check = Outputs("f", [[1]], "evalplus")
    assert passed(judged(sandbox, tmp_path / "2", large, check, "def f(x): return b''")) == [True, False]


@pytest.mark.parametrize(
    ("oracle", "arguments", "canonical", "right", "wrong"),
    [
        ("root_of_polynomial", [[1.0, 2.0]], "-0.5", "-0.5000000001", "0.5"),
        ("root_of_sparse_polynomial", [[1.0, 2.0]], "-0.5", "-0.5", "0.5"),
        ("root_in_interval", [[-1.0, 0.0, 1.0], [0.0, 2.0]], "1.0", "1.001", "-1.0"),
        ("palindrome", ["ab"], "'aba'", "'abA'", "'abc'"),
        (
            "maze_moves",
            [[[0, 0], [1, 0]], (0, 0), (1, 1)],
            "['right', 'down']",
            "['right', 'down']",
            "['down', 'right']",
        ),
        (
            "grid_path",
            [[[1, 1], [0, 1]], (0, 0), (1, 1)],
            "[(0,0),(0,1),(1,1)]",
            "[(0,0),(0,1),(1,1)]",
            "[(0,0),(1,1)]",
        ),
        ("two_factors", [[2, 3, 6, 1], 6], "(0, 1)", "(2, 3)", "(0, 2)"),
        ("same_elements", [1], "[1, 2]", "(2, 1, 1)", "[1]"),
        ("is_not_none", [1], "__import__('re').match('a', 'a')", "'something'", "None"),
        ("surface_area", [3, 4], "33", "35", "34"),
        ("digit_distance", [1, 23], "4", "4", "5"),
    ],
)
def test_tasks_with_more_than_one_answer(
    sandbox: Sandbox, tmp_path: Path, oracle: str, arguments: list[object], canonical: str, right: str, wrong: str
) -> None:
    check = Outputs("f", [arguments], "evalplus", 1e-6, oracle)
    answers = [f"def f(*_): return {answer}" for answer in (canonical, right, wrong)]
    assert passed(judged(sandbox, tmp_path, answers[0], check, *answers[1:])) == [True, True, False]


def test_a_canonical_solution_that_fails_here_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    task = Task("a task", "", "def f(x): return 1 // 0", {"level": Outputs("f", [[1]], "evalplus")})
    calibration = calibrate_limits(SUITE, [task], sandbox, tmp_path / "calibration.json")
    assert calibration.failures() == {"a task": "failed: ZeroDivisionError: integer division or modulo by zero"}
    (verdict,) = score(SUITE, [Candidate(task, "def f(x): return 1")], calibration, sandbox)
    assert not verdict.passed


def test_calibration_is_kept_for_the_same_machine_and_tasks(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    tasks = [Task("1", "", "def f(x): return x", {"level": Outputs("f", [[1]], "evalplus")})]
    first = calibrate_limits(SUITE, tasks, sandbox, path)
    written = path.read_bytes()
    assert calibrate_limits(SUITE, tasks, sandbox, path) == first
    assert path.read_bytes() == written
    more = [*tasks, Task("2", "", "def f(x): return -x", {"level": Outputs("f", [[1]], "evalplus")})]
    assert set(calibrate_limits(SUITE, more, sandbox, path).measures) == {"1", "2"}


def test_test_code_that_sleeps_has_the_time_to(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its limit by the clock is a multiple of what the canonical solution took by the clock."""
    task = Task("a task", "", "def f(): pass", {"level": Asserts("import time; time.sleep(4)")})
    calibration = calibrate_limits(SUITE, [task], sandbox, tmp_path / "calibration.json")
    (measure,) = calibration.measures["a task"].values()
    assert measure.clock > 4 > sum(measure.seconds)
    limits = replace(calibration, slowness=1.0).program(task, "level", task.canonical).limits
    assert limits
    assert limits.wall_seconds == pytest.approx(10 + 6 * measure.clock)
