"""The results in Markdown: beside the paper's, level by level, from model to model, and bits per byte."""

from __future__ import annotations

from snowcoder.evaluation.baselines import BASELINES, COLUMNS
from snowcoder.evaluation.bits import Bits
from snowcoder.evaluation.estimate import Estimate
from snowcoder.evaluation.results import ModelChange, Result, by_level

_MISSING = "–"


def results_table(results: list[Result], steps: list[ModelChange], bits: list[Bits]) -> str:
    parts: list[str] = []
    if results:
        parts += filter(None, [levels(results), beside_the_paper(results)])
    if steps:
        parts.append(_steps(steps))
    if bits:
        parts.append(bits_table(bits))
    return "\n\n".join(parts) + "\n"


def levels(results: list[Result]) -> str:
    """What was measured: all levels, with 95% intervals."""
    models = list(dict.fromkeys(result.model for result in results))
    ks = list(dict.fromkeys(k for result in results for k in result.pass_at))
    rows = []
    for level, row in by_level(results).items():
        mine = {result.model: result for result in row}
        tasks = next(iter(mine.values())).tasks
        for k in ks:
            cells = [_interval(mine[m].pass_at.get(k)) if m in mine else _MISSING for m in models]
            rows.append([level, str(tasks), f"pass@{k}", *cells])
    title = "pass@k in percent, with 95% intervals"
    return f"{title}\n\n{markdown(['benchmark', 'tasks', '', *models], rows)}{_cannot_be_judged(results)}"


def beside_the_paper(results: list[Result]) -> str:
    """pass@1 of the benchmarks that the paper reports. Of fewer tasks, a number is not comparable, and not shown.

    Empty where no model has one that is: the paper's rows alone say nothing of these models.
    """
    whole = {"HumanEval+": 164, "MBPP+": 378, "EvoEval": 500, "BigCodeBench": 1140}
    ours = []
    for model in dict.fromkeys(result.model for result in results):
        mine = {r.level: r for r in results if r.model == model and r.tasks == whole.get(r.level)}
        found = [mine[column].pass_at.get("1") if column in mine else None for column in COLUMNS]
        if any(found):
            cells = [f"{100 * each.value:.1f}" if each else _MISSING for each in found]
            ours.append([f"**{model}**", "this run", *cells])
    if not ours:
        return ""
    papers = [[name, compute, *(f"{value:.1f}" for value in values)] for name, (compute, values) in BASELINES.items()]
    rows = markdown(["model", "tokens", *COLUMNS], [*papers, *ours])
    return f"pass@1 in percent, beside the paper's table 2\n\n{rows}"


def _steps(found: list[ModelChange]) -> str:
    rows = [
        [step.level, f"{step.before} to {step.after}", _interval(step.difference, signed=True), _says(step.difference)]
        for step in found
    ]
    heads = ["benchmark", "models", "difference", ""]
    return f"Differences of pass@1 in points, task by task, with 95% intervals\n\n{markdown(heads, rows)}"


def _says(change: Estimate) -> str:
    if change.low > 0:
        return "better"
    return "worse" if change.high < 0 else "not decided by so many tasks"


def bits_table(bits: list[Bits]) -> str:
    """Lower is better; it does not depend on the tokenizer."""
    models = list(dict.fromkeys(each.model for each in bits))
    rows = []
    for language in dict.fromkeys(each.language for each in bits):
        mine = {each.model: each for each in bits if each.language == language}
        size = next(iter(mine.values())).bytes
        rows.append(
            [language, f"{size:,}", *(f"{mine[m].bits_per_byte:.3f}" if m in mine else _MISSING for m in models)]
        )
    return f"Bits per byte of held-out documents\n\n{markdown(['language', 'bytes', *models], rows)}"


def _cannot_be_judged(results: list[Result]) -> str:
    failures = {name: why for result in results for name, why in result.canonical_failures.items()}
    if not failures:
        return ""
    lines = "\n".join(f"- {name}: {why}" for name, why in failures.items())
    return f"\n\nTasks whose own solution fails on this machine, so that few programs can pass:\n\n{lines}"


def _interval(found: Estimate | None, signed: bool = False) -> str:
    if found is None:
        return _MISSING
    sign = "+" if signed else ""
    value, low, high = (f"{100 * each:{sign}.1f}" for each in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def markdown(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
