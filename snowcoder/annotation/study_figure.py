"""The study's figure: ROC-AUC of each annotator on each benchmark, and what models show over it where that is known."""

from __future__ import annotations

from typing import Any

import matplotlib
from markupsafe import Markup

from snowcoder.annotation.study_table import ALL, Cell, by_negatives
from snowcoder.pages.figure import as_svg

matplotlib.use("Agg")
from matplotlib import pyplot  # after the backend is chosen

_MARKERS = "osD^vP*X"


def plot_study(cells: list[Cell]) -> Markup:
    """SVG with a panel for each set of negatives, and below them what the models show over ROC-AUC."""
    models = [cell for cell in cells if cell.model is not None]
    parts = [(_draw_areas, *each) for each in by_negatives(cells).items()]
    parts += [(_draw_models, *each) for each in by_negatives(models).items()]
    figure, panels = pyplot.subplots(len(parts), figsize=(9, 2.8 * len(parts)), squeeze=False)
    for axes, (draw_part, against, mine) in zip(panels.flat, parts, strict=True):
        draw_part(axes, mine)
        axes.set_title(f"against {'all files' if against == ALL else f'files in {against}'}", fontsize=10)
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    image = as_svg(figure, "study")
    pyplot.close(figure)
    return image


def _draw_areas(axes: Any, cells: list[Cell]) -> None:
    """A group for each benchmark, in it a point with its interval for each annotator."""
    benchmarks, annotators = _names(cells)
    for number, annotator in enumerate(annotators):
        mine = [cell for cell in cells if cell.annotator == annotator]
        places = [benchmarks.index(cell.benchmark) + 0.8 * (number + 0.5) / len(annotators) - 0.4 for cell in mine]
        errors = [[c.auc.value - c.auc.low for c in mine], [c.auc.high - c.auc.value for c in mine]]
        axes.errorbar(
            places, [c.auc.value for c in mine], errors, fmt=_MARKERS[number % len(_MARKERS)], ms=5, label=annotator
        )
    axes.axhline(0.5, color="grey", linewidth=0.8)
    axes.set_xticks(range(len(benchmarks)), benchmarks)
    axes.set_ylabel("ROC-AUC")
    axes.grid(axis="y", alpha=0.3)


def _draw_models(axes: Any, cells: list[Cell]) -> None:
    """A line for each benchmark, from the annotator with the lowest area to the one with the highest."""
    benchmarks, annotators = _names(cells)
    for number, benchmark in enumerate(benchmarks):
        mine = sorted((c for c in cells if c.benchmark == benchmark), key=lambda cell: cell.auc.value)
        axes.plot([c.auc.value for c in mine], [c.model for c in mine], color=f"C{number}", label=benchmark)
        for cell in mine:
            marker = _MARKERS[annotators.index(cell.annotator) % len(_MARKERS)]
            axes.plot(cell.auc.value, cell.model, marker, color=f"C{number}")
    axes.set_xlabel("ROC-AUC")
    axes.set_ylabel(cells[0].measure.title)
    axes.grid(alpha=0.3)


def _names(cells: list[Cell]) -> tuple[list[str], list[str]]:
    return list(dict.fromkeys(c.benchmark for c in cells)), list(dict.fromkeys(c.annotator for c in cells))
