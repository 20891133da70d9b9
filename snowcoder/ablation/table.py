"""What became of an ablation's variants, in Markdown."""

from __future__ import annotations

from typing import Any

from snowcoder.ablation.variants import Variant
from snowcoder.report.records import Records, read_records

_LAST = 0.1  # of the steps, over which the training loss is averaged


def ablation_table(variants: list[Variant]) -> str:
    """A row for each variant; one that has no step yet says so."""
    records = {variant.name: read_records(str(variant.folder)) for variant in variants if _began(variant)}
    held_out = list(dict.fromkeys(name for each in records.values() for name in _held_out(each)))
    paper = list(dict.fromkeys(name for variant in variants for name in variant.paper))
    heads = ["variant", "steps", "tokens", "loss", *(f"{name}, held out" for name in held_out), "minutes"]
    rows = [
        [variant.name, *_measured(records.get(variant.name), held_out), *(_number(variant.paper.get(b)) for b in paper)]
        for variant in variants
    ]
    lines = [[*heads, *(f"paper: {name}" for name in paper)], ["---"] * (len(heads) + len(paper)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _began(variant: Variant) -> bool:
    return (variant.folder / "metrics.jsonl").is_file()


def _measured(records: Records | None, held_out: list[str]) -> list[str]:
    steps = records.steps if records else []
    if records is None or not steps:
        return ["0", "0", "", *("" for _ in held_out), ""]
    last = [step["loss"] for step in steps[-max(1, round(_LAST * len(steps))) :]]
    losses = _held_out(records)
    return [
        str(len(steps)),
        f"{sum(_tokens(records, step) for step in steps):,}",
        f"{sum(last) / len(last):.4f}",
        *(_number(losses.get(name), 4) for name in held_out),
        f"{sum(step['seconds'] for step in steps) / 60:.1f}",
    ]


def _tokens(records: Records, step: dict[str, Any]) -> int:
    return next(span.tokens_per_step for span in records.spans if span.first_step < step["step"] <= span.end)


def _held_out(records: Records) -> dict[str, float]:
    """Losses by source, of the last time that they were computed."""
    return records.validations[-1]["losses"] if records.validations else {}


def _number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"
