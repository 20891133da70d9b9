"""Randomness without state: what is drawn for a sample depends on the seed, the sample and the purpose alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from snowcoder.permutation import key_of

T = TypeVar("T")


def choose(values: Sequence[T], seed: int, *purpose: str | int) -> T:
    return values[key_of(seed, *purpose) % len(values)]


def take(values: Sequence[T], count: int, seed: int, *purpose: str | int) -> list[T]:
    """`count` of them, or all, in random order."""
    order = sorted(range(len(values)), key=lambda number: key_of(seed, *purpose, number))
    return [values[number] for number in order[:count]]
