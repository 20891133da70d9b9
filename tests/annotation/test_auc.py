"""The area under the ROC curve against scikit-learn's, and its interval against what it promises."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from snowcoder.annotation.auc import roc_auc


@pytest.mark.parametrize("levels", [5, 1000])  # with many ties and with few
def test_equals_that_of_scikit_learn(levels: int) -> None:
    draw = np.random.default_rng(levels)
    positives, negatives = draw.integers(2, levels, 80), draw.integers(0, levels - 1, 130)
    labels, scores = np.repeat([1, 0], [80, 130]), np.concatenate([positives, negatives])
    assert roc_auc(positives, negatives, 10, seed=1).value == pytest.approx(roc_auc_score(labels, scores))


def test_the_interval_holds_the_true_value_in_about_19_of_20_samples() -> None:
    true = 0.7602  # of two normal distributions whose means are one standard deviation apart: Phi(1 / sqrt(2))
    draw, held = np.random.default_rng(0), 0
    for seed in range(200):
        found = roc_auc(draw.normal(1, 1, 60), draw.normal(0, 1, 90), 200, seed)
        held += found.low <= true <= found.high
    assert 180 <= held <= 198


def test_the_same_seed_gives_the_same_interval() -> None:
    positives, negatives = np.arange(30.0), np.arange(20.0) - 5
    assert roc_auc(positives, negatives, 50, seed=3) == roc_auc(positives, negatives, 50, seed=3)
    assert roc_auc(positives, negatives, 50, seed=3) != roc_auc(positives, negatives, 50, seed=4)
