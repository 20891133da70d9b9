"""How fast steps went: tokens/s, FLOP/s of the model, and the time spent waiting for data, from metrics.jsonl.

FLOPs are given twice: with full attention, as most tables count, and with its causal half alone, as Megatron does since
0.13. Recomputation is not counted, and document masks take nothing off.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder import readable
from snowcoder.config.schema import ModelConfig
from snowcoder.model.size import flops_per_token

NAME = "metrics.jsonl"
_RECENT = 20  # steps


class Flops(NamedTuple):
    """A rank's TFLOP/s, and their share of what its device could do; None where no peak is known."""

    tflops: float  # with full attention
    tflops_causal: float
    mfu: float | None
    mfu_causal: float | None

    def __str__(self) -> str:
        full, causal = readable.flops(self.tflops * 1e12), readable.flops(self.tflops_causal * 1e12)
        if self.mfu is None or self.mfu_causal is None:
            return f"{full} a rank with full attention ({causal} with its causal half)"
        peak = f" of {readable.flops(self.tflops / self.mfu * 1e12)}" if self.mfu else ""
        return (
            f"{full} a rank with full attention, {self.mfu:.1%} of the peak{peak} "
            f"({causal}, {self.mfu_causal:.1%}, with its causal half)"
        )


def flops_of(model: ModelConfig, sequence_length: int, rate: float, peak: float | None) -> Flops:
    """`rate`: tokens/s of a rank; `peak`: TFLOP/s of its device."""
    full, causal = (flops_per_token(model, sequence_length, half) * rate / 1e12 for half in (False, True))
    return Flops(full, causal, full / peak if peak else None, causal / peak if peak else None)


class Speed(NamedTuple):
    """Of a run's last steps."""

    first: int
    last: int
    tokens_per_second: float  # of all ranks
    median: float  # the same of the step in the middle: what a slow first one and a hiccup do not move
    flops: Flops | None  # None: recorded by an earlier version, as is
    data_share: float | None  # of the steps' time, spent waiting for data


def recent_speed(steps: list[dict[str, Any]]) -> Speed | None:
    """Of the last 20 of these records of steps; None without any."""
    recent = steps[-_RECENT:]
    if not recent:
        return None
    seconds = sum(step["seconds"] for step in recent)
    tflops, tflops_causal, mfu, mfu_causal = (_mean(recent, name) for name in Flops._fields)
    return Speed(
        first=recent[0]["step"],
        last=recent[-1]["step"],
        tokens_per_second=sum(step["tokens"] for step in recent) / seconds,
        median=statistics.median(step["tokens"] / step["seconds"] for step in recent),
        flops=None if tflops is None or tflops_causal is None else Flops(tflops, tflops_causal, mfu, mfu_causal),
        data_share=_share(recent, "data_seconds"),
    )


def _mean(steps: list[dict[str, Any]], name: str) -> float | None:
    """Over the time of those that have it; None if none has."""
    found = [(step[name], step["seconds"]) for step in steps if step.get(name) is not None]
    return sum(value * seconds for value, seconds in found) / sum(seconds for _, seconds in found) if found else None


def _share(steps: list[dict[str, Any]], name: str) -> float | None:
    """Of the time of those that have it; None if none has."""
    found = [(step[name], step["seconds"]) for step in steps if step.get(name) is not None]
    return sum(value for value, _ in found) / sum(seconds for _, seconds in found) if found else None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Records of metrics.jsonl, without lines cut short: of a run that is being written, was killed, or had no disk."""
    records: list[dict[str, Any]] = []
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "kind" in record and "step" in record:
            records.append(record)
    return records
