"""The study's cells, and its tables, as such and in Markdown."""

from __future__ import annotations

from typing import NamedTuple

from scipy.stats import spearmanr

from snowcoder.annotation.auc import Auc

ALL = "all"  # negatives of all languages


class ModelMeasure(NamedTuple):
    """What is known of the models that were trained on the annotators' selections."""

    title: str
    digits: int


PASS_AT_1 = ModelMeasure("pass@1 in percent", 1)
BITS = ModelMeasure("bits per byte of the solutions", 3)  # fewer are better


class Cell(NamedTuple):
    """One annotator on one benchmark, against all negatives or those of one language."""

    annotator: str
    benchmark: str
    against: str
    positives: int
    negatives: int
    auc: Auc
    model: float | None  # pass@1 in percent or bits per byte, of one that was trained on this annotator's selection
    measure: ModelMeasure


class StudyTable(NamedTuple):
    title: str
    heads: list[str]
    rows: list[list[str]]


def markdown_of(tables: list[StudyTable]) -> str:
    parts = []
    for title, heads, rows in tables:
        lines = [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]
        parts.append("\n".join([title, "", *lines]))
    return "\n\n".join(parts) + "\n"


def study_tables(cells: list[Cell]) -> list[StudyTable]:
    """The areas with their intervals, and what they say of the models where these are known."""
    found = [_areas(mine) for mine in by_negatives(cells).values()]
    given = [cell for cell in cells if cell.model is not None]
    return [*found, _models(given)] if given else found


def _areas(cells: list[Cell]) -> StudyTable:
    negatives = f"{cells[0].negatives:,} files{'' if cells[0].against == ALL else f' in {cells[0].against}'}"
    by = {(cell.annotator, cell.benchmark): cell for cell in cells}
    annotators, benchmarks = (list(dict.fromkeys(names)) for names in zip(*by, strict=True))
    heads = [f"{benchmark} ({by[annotators[0], benchmark].positives})" for benchmark in benchmarks]
    rows = [[annotator, *(_interval(by[annotator, b].auc) for b in benchmarks)] for annotator in annotators]
    return StudyTable(f"ROC-AUC against {negatives}, with 95% intervals", ["annotator", *heads], rows)


def _models(given: list[Cell]) -> StudyTable:
    annotators, benchmarks = (list(dict.fromkeys(getattr(c, key) for c in given)) for key in ("annotator", "benchmark"))
    title, digits = given[0].measure
    by = {(cell.annotator, cell.benchmark): f"{cell.model:.{digits}f}" for cell in given}
    rows = [[annotator, *(by.get((annotator, b), "") for b in benchmarks)] for annotator in annotators]
    for against, mine in by_negatives(given).items():
        found = [rank_correlation([cell for cell in mine if cell.benchmark == b]) for b in benchmarks]
        rows.append([f"rank correlation, {against}", *("" if each is None else f"{each:.2f}" for each in found)])
    return StudyTable(f"{title}, and its rank correlation with the ROC-AUC", ["annotator", *benchmarks], rows)


def by_negatives(cells: list[Cell]) -> dict[str, list[Cell]]:
    """All negatives first."""
    return {against: [c for c in cells if c.against == against] for against in dict.fromkeys(c.against for c in cells)}


def rank_correlation(cells: list[Cell]) -> float | None:
    """Spearman's, of ROC-AUC and what the models show, over annotators; None of fewer than three."""
    if len(cells) < 3:
        return None
    return float(spearmanr([cell.auc.value for cell in cells], [cell.model for cell in cells]).statistic)


def _interval(auc: Auc) -> str:
    return f"{auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
