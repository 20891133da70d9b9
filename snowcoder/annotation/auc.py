"""The area under the ROC curve, with an interval that says how far to trust it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_LEVEL = 0.95


class Auc(NamedTuple):
    """How often a positive scores above a negative, 0 to 1, and the ends of its 95% interval."""

    value: float
    low: float
    high: float


def roc_auc(positives: np.ndarray, negatives: np.ndarray, resamples: int, seed: int) -> Auc:
    """Of two samples of scores, float32 [positives] and [negatives], neither of them empty; ties count half.

    The interval is a percentile bootstrap's (Efron & Tibshirani, 1993, chapter 13): both samples are drawn anew
    `resamples` times. It says what other tasks and other files would have given, not another training.
    """
    above = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    draw = np.random.default_rng(seed)
    values = [_resampled(above, draw) for _ in range(resamples)]
    low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Auc(float(above.mean()), float(low), float(high))


def _resampled(above: np.ndarray, draw: np.random.Generator) -> float:
    """The mean of the table's rows and columns, each taken as often as it is drawn."""
    rows, columns = (draw.multinomial(size, np.full(size, 1 / size)) for size in above.shape)
    return float(rows @ above @ columns / above.size)
