"""Verdicts into results: for each model and level of a suite pass@k, counts by status, and how tasks compare."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from snowcoder.evaluation.bits import Bits
from snowcoder.evaluation.completions import Completion
from snowcoder.evaluation.cut import which_parse
from snowcoder.evaluation.estimate import Estimate, difference, estimate, ratio_difference
from snowcoder.evaluation.score import Verdict
from snowcoder.evaluation.suites import EVOEVAL, Suite
from snowcoder.evaluation.tasks import Task


@dataclass(frozen=True)
class Result:
    """One model on one level of a suite."""

    model: str
    suite: str
    level: str
    version: str
    tasks: int
    samples: int
    pass_at: dict[str, Estimate]  # k -> the estimate
    statuses: dict[str, int]  # of all completions, however they ended
    right: list[int]  # samples of each task that are right
    canonical_failures: dict[str, str]  # tasks that cannot be judged here, and why; few programs can pass
    left_to_server: list[str]  # sampling settings that the server of a completion refused to be told


@dataclass(frozen=True)
class Parsing:
    """One model's completions for a suite, as Python."""

    model: str
    suite: str
    tasks: int
    samples: int
    share: Estimate  # of completions that are
    parsed: list[int]  # samples of each task that are


@dataclass(frozen=True)
class Judged:
    """What became of one model's completions for a suite."""

    model: str
    suite: Suite
    tasks: list[Task]
    verdicts: dict[tuple[str, int], Verdict]  # by task and sample
    canonical_failures: dict[str, str]
    left_to_server: list[str]


def results_of(judged: Judged, ks: list[int], seed: int) -> list[Result]:
    """By level."""
    tasks, verdicts = judged.tasks, judged.verdicts
    samples = len(verdicts) // len(tasks)
    statuses = dict(Counter(verdict.status for verdict in verdicts.values()))
    found = []
    for level in tasks[0].checks:
        right = [sum(verdicts[task.name, n].levels[level] for n in range(samples)) for task in tasks]
        pass_at = {str(k): estimate(samples, right, k, seed) for k in ks if k <= samples}
        about = judged.model, judged.suite.name, level, judged.suite.version, len(tasks), samples
        notes = judged.canonical_failures, judged.left_to_server
        found.append(Result(*about, pass_at, statuses, right, *notes))
    return found


def parsing_of(model: str, suite: Suite, tasks: list[Task], completions: list[Completion], seed: int) -> Parsing:
    parsing = which_parse(tasks, completions)
    samples = len(completions) // len(tasks)
    parsed = [sum(parsing[task.name, n] for n in range(samples)) for task in tasks]
    return Parsing(model, suite.title, len(tasks), samples, estimate(samples, parsed, 1, seed), parsed)


def evoeval_means(results: list[Result], seed: int) -> list[Result]:
    """The paper's EvoEval, of models that were given all five of its categories."""
    found = []
    for model in dict.fromkeys(result.model for result in results):
        parts = [result for result in results if result.model == model and result.suite in EVOEVAL]
        if len(parts) < len(EVOEVAL):
            continue
        samples, right = parts[0].samples, [count for part in parts for count in part.right]
        pass_at = {k: estimate(samples, right, int(k), seed) for k in parts[0].pass_at}
        statuses = dict(sum((Counter(part.statuses) for part in parts), Counter()))
        failures = {name: why for part in parts for name, why in part.canonical_failures.items()}
        left = sorted({name for part in parts for name in part.left_to_server})
        about = parts[0].version, len(right), samples
        found.append(Result(model, "evoeval", "EvoEval", *about, pass_at, statuses, right, failures, left))
    return found


@dataclass(frozen=True)
class ModelChange:
    """From one model to another, on the same tasks or texts."""

    level: str  # of pass@1; or a suite's title or a language
    before: str
    after: str
    difference: Estimate


def model_changes(results: list[Result], baseline: str | None, seed: int) -> list[ModelChange]:
    """What the talk says of its phases: each improves over the previous."""
    found = []
    for level, row in by_level(results).items():
        for before, after in _pairs(row, baseline):
            if before.tasks == after.tasks:
                change = difference(_shares(before.right, before), _shares(after.right, after), seed)
                found.append(ModelChange(level, before.model, after.model, change))
    return found


def parsing_changes(parsing: list[Parsing], baseline: str | None, seed: int) -> list[ModelChange]:
    """The same of the share of completions that are Python."""
    found = []
    for suite in dict.fromkeys(each.suite for each in parsing):
        for before, after in _pairs([each for each in parsing if each.suite == suite], baseline):
            change = difference(_shares(before.parsed, before), _shares(after.parsed, after), seed)
            found.append(ModelChange(suite, before.model, after.model, change))
    return found


def bits_changes(bits: list[Bits], baseline: str | None, seed: int) -> list[ModelChange]:
    """The same of bits per byte, of which fewer are better."""
    found = []
    for of in dict.fromkeys(each.of for each in bits):
        for before, after in _pairs([each for each in bits if each.of == of], baseline):
            change = ratio_difference(before.bits, after.bits, after.sizes, seed)
            found.append(ModelChange(of, before.model, after.model, change))
    return found


Measured = TypeVar("Measured", Result, Parsing, Bits)


@dataclass(frozen=True)
class Measurements:
    """All models on all that is measured."""

    results: list[Result]
    parsing: list[Parsing]
    bits_per_byte: list[Bits]

    def of(self, model: str) -> Measurements:
        """What is known of one of them."""
        return Measurements(
            [each for each in self.results if each.model == model],
            [each for each in self.parsing if each.model == model],
            [each for each in self.bits_per_byte if each.model == model],
        )


@dataclass(frozen=True)
class Changes:
    pass_at_1: list[ModelChange] = field(default_factory=list)
    parsing: list[ModelChange] = field(default_factory=list)
    bits_per_byte: list[ModelChange] = field(default_factory=list)


def changes_between(measured: Measurements, baseline: str | None, seed: int) -> Changes:
    return Changes(
        model_changes(measured.results, baseline, seed),
        parsing_changes(measured.parsing, baseline, seed),
        bits_changes(measured.bits_per_byte, baseline, seed),
    )


def _pairs(row: list[Measured], baseline: str | None) -> list[tuple[Measured, Measured]]:
    """Each with the one before it in the order of evaluation.models, or with the baseline."""
    if baseline is None:
        return list(pairwise(row))
    return [(one, each) for one in row if one.model == baseline for each in row if each is not one]


def by_level(results: list[Result]) -> dict[str, list[Result]]:
    """The models' results by level. Where two suites have one by the same name, it is told apart by its suite."""
    suites: dict[str, set[str]] = {}
    for result in results:
        suites.setdefault(result.level, set()).add(result.suite)
    found: dict[str, list[Result]] = {}
    for result in results:
        label = result.level if len(suites[result.level]) == 1 else f"{result.level} ({result.suite})"
        found.setdefault(label, []).append(result)
    return found


def _shares(counts: list[int], of: Result | Parsing) -> list[float]:
    return [count / of.samples for count in counts]
