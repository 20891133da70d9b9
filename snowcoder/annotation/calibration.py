"""Held-out outputs to scores that mean something: a probability, or an educational value."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from snowcoder.annotation.annotator import Calibration


def calibrate(outputs: np.ndarray, labels: np.ndarray, head: str) -> Calibration:
    """Platt's scaling (1999) for classification, a line for regression.

    `outputs` float64 [held out], `labels` float32 [held out].
    Held-out data that say nothing, or the opposite, must not turn the ranking round: then it stays as it is.
    """
    if head == "classification":
        fitted = LogisticRegression().fit(outputs[:, None], labels)  # regularised: separable classes have no end
        scale, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    else:
        scale, offset = map(float, np.polyfit(outputs, labels, 1)) if np.ptp(outputs) else (1.0, 0.0)
    return Calibration(scale, offset) if scale > 0 else Calibration(1.0, 0.0)
