"""Scores by language, in a few numbers that add up over shards."""

from __future__ import annotations

from typing import Any

import numpy as np

_BINS = 100
_QUANTILES = (0.1, 0.5, 0.9)


class Summary:
    """Files, the sum of their scores and a histogram, for each language."""

    def __init__(self, highest: float) -> None:
        self.highest = highest
        self.histograms: dict[str, np.ndarray] = {}
        self.sums: dict[str, float] = {}

    def add(self, language: str, scores: np.ndarray) -> None:
        """`scores` float32 [files]."""
        places = np.minimum((scores / self.highest * _BINS).astype(int), _BINS - 1)
        self._add(language, np.bincount(places, minlength=_BINS), float(scores.sum()))

    def merge(self, rows: dict[str, Any]) -> None:
        """What `rows` of another one has returned."""
        for language, row in rows.items():
            self._add(language, np.array(row["histogram"]), row["sum"])

    def rows(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            language: {"histogram": histogram.tolist(), "sum": self.sums[language]}
            for language, histogram in sorted(self.histograms.items())
        }

    def table(self) -> dict[str, dict[str, float]]:
        """For each language files, mean and quantiles, these to a hundredth of the highest score."""
        return {
            language: {
                "files": int(histogram.sum()),
                "mean": round(self.sums[language] / histogram.sum(), 4),
                **{f"quantile_{share}": self._quantile(histogram, share) for share in _QUANTILES},
            }
            for language, histogram in sorted(self.histograms.items())
        }

    def _add(self, language: str, histogram: np.ndarray, total: float) -> None:
        self.histograms[language] = self.histograms.get(language, 0) + histogram
        self.sums[language] = self.sums.get(language, 0.0) + total

    def _quantile(self, histogram: np.ndarray, share: float) -> float:
        place = int(np.searchsorted(np.cumsum(histogram), share * histogram.sum()))
        return round(min(place + 0.5, _BINS) / _BINS * self.highest, 4)
