"""How good an annotator is on examples that it was not trained on."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr
from sklearn import metrics

_BINS = 10  # of the calibration error


def score_metrics(scores: np.ndarray, labels: np.ndarray, head: str) -> dict[str, float]:
    """Of scores (float64 [n]) in 0..1 against labels (float32 [n]) 0 and 1, or in 0..5 against labels in 0..5."""
    if head == "regression":
        rank = spearmanr(scores, labels).statistic
        return {
            "mean squared error": float(np.mean((scores - labels) ** 2)),
            "Spearman": 0.0 if np.isnan(rank) else float(rank),
            "macro F1": macro_f1(scores, labels, head),
        }
    return {
        "ROC-AUC": float(metrics.roc_auc_score(labels, scores)),
        "average precision": float(metrics.average_precision_score(labels, scores)),
        "F1": float(metrics.f1_score(labels, scores > 0.5)),
        "macro F1": macro_f1(scores, labels, head),
        "Brier": float(np.mean((scores - labels) ** 2)),
        "calibration error": calibration_error(scores, labels),
    }


def macro_f1(scores: np.ndarray, labels: np.ndarray, head: str) -> float:
    """Of scores (float32 or float64 [n]) and labels (float32 [n]): cut at 0.5; or both rounded, as FineWeb-Edu does."""
    if head == "classification":
        return float(metrics.f1_score(labels, scores > 0.5, average="macro"))
    return float(metrics.f1_score(np.rint(labels), np.rint(np.clip(scores, 0, 5)), average="macro"))


def calibration_error(scores: np.ndarray, labels: np.ndarray) -> float:
    """The mean distance of ten equally wide bins' scores from the share of positives in them (Guo et al., 2017).

    `scores` float64 [n], `labels` float32 [n].
    """
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    sums = np.bincount(bins, scores - labels, _BINS)
    return float(np.abs(sums).sum() / len(scores))
