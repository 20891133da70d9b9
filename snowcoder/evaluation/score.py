"""Completions into verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snowcoder.evaluation.calibrate import TimeLimits
from snowcoder.evaluation.suites import Suite
from snowcoder.evaluation.tasks import Task
from snowcoder.progress import bar
from snowcoder.sandbox.program import Outcome
from snowcoder.sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Candidate:
    """A program that is to be judged as an answer to a task."""

    task: Task
    program: str


@dataclass(frozen=True)
class Verdict:
    status: str  # passed, failed, timeout, memory or output, at the level where it ended
    error: str
    levels: dict[str, bool]  # of the task: whether it passed this one and those before it

    @property
    def passed(self) -> bool:
        return all(self.levels.values())


def score(
    suite: Suite, candidates: Sequence[Candidate], calibration: TimeLimits, sandbox: Sandbox, workers: int = 0
) -> list[Verdict]:
    """Verdicts in the order of the candidates.

    A program that fails a level is not run on the next, and the same program for the same task runs once.
    """
    tasks = {(each.task.name, each.program): each.task for each in candidates}
    passed: dict[tuple[str, str], list[str]] = {key: [] for key in tasks}
    ended: dict[tuple[str, str], Outcome] = {}
    for number in range(max((len(task.checks) for task in tasks.values()), default=0)):
        todo = [(key, list(task.checks)[number]) for key, task in tasks.items() if _goes_on(task, passed[key], number)]
        programs = (calibration.program(tasks[key], level, key[1]) for key, level in todo)
        outcomes = bar(f"score {suite.name}", len(todo), "program", sandbox.run_many(programs, workers))
        for (key, level), outcome in zip(todo, outcomes, strict=True):
            ended[key] = outcome
            if outcome.passed:
                passed[key].append(level)
    keys = [(each.task.name, each.program) for each in candidates]
    return [_verdict(tasks[key], ended[key], passed[key]) for key in keys]


def _goes_on(task: Task, passed: list[str], number: int) -> bool:
    return len(task.checks) > number == len(passed)


def _verdict(task: Task, outcome: Outcome, passed: list[str]) -> Verdict:
    status = "timeout" if outcome.error.startswith("TooLong") else outcome.status
    return Verdict(status, outcome.error, {level: level in passed for level in task.checks})
