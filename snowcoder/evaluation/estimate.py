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


def ratio(amounts: list[float], sizes: list[int], seed: int) -> Estimate:
    """Of the sums; texts are drawn again. Of one text there is no interval: its ends are the value."""
    draws = _draws(len(sizes), seed)
    return _estimate(sum(amounts) / sum(sizes), _ratios(amounts, sizes, draws))


def ratio_difference(first: list[float], second: list[float], sizes: list[int], seed: int) -> Estimate:
    """Of the ratio of `second` from that of `first`, on the same texts: pairs are drawn again."""
    draws = _draws(len(sizes), seed)
    value = (sum(second) - sum(first)) / sum(sizes)
    return _estimate(value, _ratios(second, sizes, draws) - _ratios(first, sizes, draws))


def _ratios(amounts: list[float], sizes: list[int], draws: np.ndarray) -> np.ndarray:
    """int64 draws [resamples, n] -> float64 [resamples]."""
    found: np.ndarray = np.array(amounts)[draws].sum(axis=1) / np.array(sizes)[draws].sum(axis=1)
    return found


def _bootstrap(values: np.ndarray, seed: int) -> Estimate:
    return _estimate(float(values.mean()), values[_draws(len(values), seed)].mean(axis=1))


def _draws(count: int, seed: int) -> np.ndarray:
    """Which of `count` are drawn again: int64 [resamples, count]."""
    return np.random.default_rng(seed).integers(count, size=(_RESAMPLES, count))


def _estimate(value: float, resampled: np.ndarray) -> Estimate:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Estimate(value, float(low), float(high))
