"""The table of runs side by side: what guiding takes, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence

from snowcoder.evaluation.estimate import Estimate, difference
from snowcoder.evaluation.table import markdown
from snowcoder.repair.results import RepairResults

_NONE = "–"
_HEADS = [
    "run",
    "guided by",
    "bugs",
    "patches",
    "seconds",
    "CPU ms a token",
    "calls a token",
    "from cache %",
    "finished %",
    "compilable %",
    "plausible %",
    "bugs with a plausible patch",
    "bugs with the exact fix",
]
_NOTES = (
    "Shares are of all samples: one that came to no end within its tokens is none of these. Plausible: all tests pass. "
    "Exact: but for layout and comments what the bug's authors wrote. Whether a plausible patch is correct, as papers "
    "count it, a person has to say. Seconds are of generation by the clock, without the start of model and engine; "
    "CPU time is of the model and the guide, without the engine's own process."
)


def repair_table(runs: Sequence[RepairResults]) -> str:
    """Markdown; with several runs, also how each differs from the first on the same bugs."""
    parts = [markdown(_HEADS, [_row(run) for run in runs]), _NOTES]
    if problems := [text for run in runs[1:] for text in _not_alike(runs[0], run)]:
        parts.append(
            "Not the same in all runs, which therefore say little beside each other:\n\n" + "\n".join(problems)
        )
    if len(runs) > 1:
        parts.append(_differences(runs))
    if unjudged := sum(not bug.judged for bug in runs[0].bugs):
        parts.append(f"{unjudged} bugs have no tests here: their patches are neither compiled nor tested.")
    return "\n\n".join(parts) + "\n"


def guided_by(run: RepairResults) -> str:
    """The row of the talk's table."""
    guided = run.guidance
    words = {"none": "", "members": "members", "all": "pruning"}[str(guided["names"])]
    kept = "+ memorization" if words and guided["memory"] else ""
    active = "+ active completion" if words and guided["active"] else ""
    grammar = "+ grammar" if words and guided["grammar"] else "grammar" if guided["grammar"] else ""
    return " ".join(filter(None, (words, kept, active, grammar))) or "plain"


def _row(run: RepairResults) -> list[str]:
    judged = any(bug.judged for bug in run.bugs)
    return [
        run.name,
        guided_by(run),
        str(len(run.bugs)),
        str(run.samples),
        *_taken(run),
        f"{100 * sum(bug.finished for bug in run.bugs) / max(1, run.samples):.1f}",
        *(f"{100 * run.share(what):.1f}" if judged else _NONE for what in ("compilable", "plausible")),
        str(run.bugs_with("plausible")) if judged else _NONE,
        str(run.bugs_with("exact")),
    ]


def _taken(run: RepairResults) -> list[str]:
    """Seconds, CPU milliseconds and calls of the engine a token, and the share of lists that were known already."""
    taken = run.taken
    tokens, seconds = taken.get("written_tokens", 0), taken.get("generation_seconds")
    if not tokens or seconds is None:
        return [_NONE] * 4
    asked = taken.get("calls", 0) + taken.get("from_cache", 0)
    cached = f"{100 * taken['from_cache'] / asked:.1f}" if asked else _NONE
    calls = f"{taken['calls'] / tokens:.3f}" if asked else _NONE
    return [f"{seconds:.0f}", f"{1000 * taken['cpu_seconds'] / tokens:.1f}", calls, cached]


def _not_alike(first: RepairResults, run: RepairResults) -> list[str]:
    facts = {
        "model": (first.model, run.model),
        "seed": (first.seed, run.seed),
        "bugs": ([bug.name for bug in first.bugs], [bug.name for bug in run.bugs]),
        "samples": ([bug.samples for bug in first.bugs], [bug.samples for bug in run.bugs]),
    }
    return [f"- {run.name}: other {what} than {first.name}" for what, (one, other) in facts.items() if one != other]


def _differences(runs: Sequence[RepairResults]) -> str:
    rows = []
    for run in runs[1:]:
        for what in ("compilable", "plausible"):
            change = _change(runs[0], run, what)
            if change:
                rows.append([what, f"{runs[0].name} to {run.name}", _interval(change), _says(change)])
    title = "Differences of shares in points, bug by bug, with 95% intervals"
    return f"{title}\n\n{markdown(['share', 'runs', 'difference', ''], rows)}" if rows else ""


def _change(first: RepairResults, run: RepairResults, what: str) -> Estimate | None:
    before = {bug.name: getattr(bug, what) / bug.samples for bug in first.bugs if bug.judged}
    after = {bug.name: getattr(bug, what) / bug.samples for bug in run.bugs if bug.judged}
    both = [name for name in before if name in after]
    return difference([before[n] for n in both], [after[n] for n in both], first.seed) if both else None


def _interval(change: Estimate) -> str:
    value, low, high = (f"{100 * each:+.1f}" for each in (change.value, change.low, change.high))
    return f"{value} ({low} to {high})"


def _says(change: Estimate) -> str:
    if change.low > 0:
        return "more"
    return "fewer" if change.high < 0 else "not decided by so few"
