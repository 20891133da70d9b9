"""The ablation's figure: how far each variant's model is from the baseline's, with the 95% intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from markupsafe import Markup

from snowcoder.pages.figure import as_svg

matplotlib.use("Agg")
from matplotlib import pyplot  # after the backend is chosen

_MARKERS = "osD^vP*X"


def plot_changes(changes: Sequence[Mapping[str, Any]], baseline: str) -> Markup:
    """SVG of `changes.bits_per_byte` of an evaluation's results.json: a row for each text, a point for each variant."""
    texts, variants = (list(dict.fromkeys(change[key] for change in changes)) for key in ("level", "after"))
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.2 * len(texts) * (1 + len(variants))))
    for number, variant in enumerate(variants):
        mine = [change for change in changes if change["after"] == variant]
        places = [texts.index(change["level"]) + 0.8 * ((number + 0.5) / len(variants) - 0.5) for change in mine]
        found = [change["difference"] for change in mine]
        errors = [[each["value"] - each["low"] for each in found], [each["high"] - each["value"] for each in found]]
        marker = _MARKERS[number % len(_MARKERS)]
        axes.errorbar([each["value"] for each in found], places, xerr=errors, fmt=marker, ms=5, label=variant)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(texts)), texts)
    axes.invert_yaxis()
    axes.set_xlabel(f"bits per byte, less those of {baseline}: left of the line is better")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    image = as_svg(figure, "ablation")
    pyplot.close(figure)
    return image
