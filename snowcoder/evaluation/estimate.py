"""pass@k, its interval, and the difference of two models on the same tasks."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

_RESAMPLES = 10_000


@dataclass(frozen=True)
class Estimate:
    value: float  # a share; low and high are the ends of its 95% interval
    low: float
    high: float


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that one of k drawn from the samples is right: unbiased, as Chen et al. (2021) have it."""
    return 1.0 - comb(samples - right, k) / comb(samples, k)


def estimate(samples: int, right: list[int], k: int, seed: int) -> Estimate:
    """Over tasks; `right` counts the right samples of each.

    With one sample each the interval is Wilson's, which also says something where nothing passes; otherwise tasks are
    drawn again (bootstrap).
    """
    if samples == 1:
        from scipy.stats import binomtest  # late: takes a second, which an evaluation that is up to date saves

        found = binomtest(sum(right), len(right))
        interval = found.proportion_ci(method="wilson")
        return Estimate(found.statistic, float(interval.low), float(interval.high))
    values = np.array([pass_at_k(samples, each, k) for each in right])
    return _bootstrap(values, seed)


def difference(first: list[float], second: list[float], seed: int) -> Estimate:
    """Of `second` from `first`, task by task: pairs are drawn again."""
    return _bootstrap(np.array(second) - np.array(first), seed)


def _bootstrap(values: np.ndarray, seed: int) -> Estimate:
    draws = np.random.default_rng(seed).integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))
