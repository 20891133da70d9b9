"""Sizes, rates, times, counts and texts as a person reads them: one function for each, used everywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_FLOPS = ("FLOP/s", "kFLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s")


def size(count: float) -> str:
    """Bytes with three digits that count: `0 B`, `12.3 KiB`, `745 GiB`."""
    return _scaled(count, _SIZES, 1024)


def flops(per_second: float) -> str:
    """`20.1 GFLOP/s`, `392 TFLOP/s`."""
    return _scaled(per_second, _FLOPS, 1000)


def rate(per_second: float | None, unit: str) -> str:
    """`30,100 tokens/s`, `0.42 files/s`; `? tokens/s` where it is not known."""
    if per_second is None:
        return f"? {unit}/s"
    number = f"{per_second:,.0f}" if per_second >= 100 or per_second == 0 else f"{per_second:.2g}"
    return f"{number} {unit}/s"


def duration(seconds: float) -> str:
    """`1 day, 2:03:04`."""
    return str(timedelta(seconds=round(seconds)))


def counts(numbers: Mapping[str, int], most: int | None = None) -> str:
    """`Python 1,200, C 3`, or `nothing`. With `most`: the first so many, and how many kinds are left."""
    shown = list(numbers.items())[:most]
    left = len(numbers) - len(shown)
    words = [f"{name or '?'} {count:,}" for name, count in shown] + ([f"{left} more kinds"] if left else [])
    return ", ".join(words) or "nothing"


def _scaled(value: float, units: tuple[str, ...], step: int) -> str:
    number = 0
    while round(value, 2) >= step and number + 1 < len(units):
        value, number = value / step, number + 1
    digits = 0 if number == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{digits}f} {units[number]}"


def first_sentence(text: str) -> str:
    """Of a text on one line."""
    return re.split(r"(?<=[.!?])\s+(?=[\"A-Z0-9(`])", text, maxsplit=1)[0]
