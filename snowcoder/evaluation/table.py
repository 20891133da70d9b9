"""The results in Markdown: beside the paper's, level by level, from model to model, and bits per byte."""

from __future__ import annotations

from snowcoder.evaluation.baselines import BASELINES, COLUMNS
from snowcoder.evaluation.bits import Bits
from snowcoder.evaluation.estimate import Estimate
from snowcoder.evaluation.results import Changes, Measurements, ModelChange, Parsing, Result, by_level

_MISSING = "–"
# Fewer are better; they do not depend on the tokenizer.
_HELD_OUT = "Bits per byte of held-out documents, with 95% intervals"
_SOLUTIONS = "Bits per byte of the benchmarks' solutions, given their tasks, with 95% intervals"


def results_table(measured: Measurements, changes: Changes) -> str:
    parts: list[str] = []
    if measured.results:
        parts += filter(None, [levels(measured.results), beside_the_paper(measured.results)])
    if changes.pass_at_1:
        parts.append(_changes("pass@1", changes.pass_at_1))
    if measured.parsing:
        parts.append(_parsing(measured.parsing))
    if changes.parsing:
        parts.append(_changes("completions that are Python", changes.parsing))
    for title, of in ((_HELD_OUT, False), (_SOLUTIONS, True)):
        if some := [each for each in measured.bits_per_byte if each.given_a_prompt == of]:
            parts.append(f"{title}\n\n{_bits_table(some)}")
    if changes.bits_per_byte:
        parts.append(_bits_changes(changes.bits_per_byte))
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
    notes = _left_to_server(results) + _cannot_be_judged(results)
    return f"{title}\n\n{markdown(['benchmark', 'tasks', '', *models], rows)}{notes}"


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


def _parsing(parsing: list[Parsing]) -> str:
    models = list(dict.fromkeys(each.model for each in parsing))
    rows = []
    for suite in dict.fromkeys(each.suite for each in parsing):
        mine = {each.model: each for each in parsing if each.suite == suite}
        cells = [_interval(mine[m].share) if m in mine else _MISSING for m in models]
        rows.append([suite, str(next(iter(mine.values())).tasks), *cells])
    title = "Completions that are Python, in percent, with 95% intervals"
    return f"{title}\n\n{markdown(['benchmark', 'tasks', *models], rows)}"


def _changes(of: str, found: list[ModelChange]) -> str:
    rows = [
        [each.level, f"{each.before} to {each.after}", _interval(each.difference, signed=True), _says(each.difference)]
        for each in found
    ]
    heads = ["benchmark", "models", "difference", ""]
    return f"Differences of {of} in points, task by task, with 95% intervals\n\n{markdown(heads, rows)}"


def _says(change: Estimate) -> str:
    if change.low > 0:
        return "better"
    return "worse" if change.high < 0 else "not decided by so few"


def _bits_table(bits: list[Bits]) -> str:
    models = list(dict.fromkeys(each.model for each in bits))
    rows = []
    for of in dict.fromkeys(each.of for each in bits):
        mine = {each.model: each for each in bits if each.of == of}
        one = next(iter(mine.values()))
        cells = [_bits(mine[m].bits_per_byte) if m in mine else _MISSING for m in models]
        rows.append([of, str(len(one.sizes)), f"{sum(one.sizes):,}", *cells])
    return markdown(["", "texts", "bytes", *models], rows)


def _bits(found: Estimate, sign: str = "") -> str:
    return f"{found.value:{sign}.3f} ({found.low:{sign}.3f} to {found.high:{sign}.3f})"


def _bits_changes(found: list[ModelChange]) -> str:
    rows = [
        [each.level, f"{each.before} to {each.after}", _bits(each.difference, "+"), _says_bits(each.difference)]
        for each in found
    ]
    title = "Differences of bits per byte, text by text, with 95% intervals"
    return f"{title}\n\n{markdown(['', 'models', 'difference', ''], rows)}"


def _says_bits(change: Estimate) -> str:
    return _says(Estimate(-change.value, -change.high, -change.low))


def _left_to_server(results: list[Result]) -> str:
    left = {name for result in results for name in result.left_to_server}
    return f"\n\nAs the server has it, which refused to be told: {', '.join(sorted(left))}" if left else ""


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
