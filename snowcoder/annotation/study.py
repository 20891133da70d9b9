"""`snowcoder annotate study`: which annotator knows a benchmark's solutions from any file (Wei et al., 2024, figure 2).

Positives are the solutions of a benchmark's tasks, negatives files of the corpus that no annotator has learned from.
The area under the ROC curve is given against all negatives, as in the paper, and against those in Python alone: an
annotator that knew nothing but the benchmarks' language would do well in the first and not in the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from snowcoder.annotation.annotator import Annotator
from snowcoder.annotation.auc import roc_auc
from snowcoder.annotation.code_files import CodeFile
from snowcoder.annotation.draw_examples import draw_files
from snowcoder.annotation.examples import learned_from
from snowcoder.annotation.study_figure import plot_study
from snowcoder.annotation.study_models import Models, known_models
from snowcoder.annotation.study_table import ALL, Cell, markdown_of, study_tables
from snowcoder.config.annotation_schema import StudyConfig
from snowcoder.config.schema import Config
from snowcoder.corpus.decontamination.task_texts import read_task_texts
from snowcoder.errors import UserError
from snowcoder.pages.index import publish
from snowcoder.storage.atomic import write_json, write_text
from snowcoder.storage.columns import ColumnNeed

PAGE, TABLE = "study.html", "table.md"
LANGUAGE = "Python"  # the benchmarks'
_NEEDS = [ColumnNeed(("language",), f"annotate study compares with files in {LANGUAGE}")]


def run(config: Config) -> None:
    """Raises one UserError about every annotator and benchmark that cannot be read, before anything is scored."""
    study, folder = config.study, Path(config.study.dir)
    annotators, solutions, models = _annotators(study), _solutions(study), known_models(study)
    negatives = _unseen_files(config)
    languages = np.array([file.language for file in negatives])
    cells = []
    for name, annotator in annotators.items():
        print(f"study: {name} scores {len(negatives):,} files and {sum(map(len, solutions.values())):,} solutions")
        scores = annotator.score([file.content for file in negatives])
        found = {benchmark: annotator.score(texts) for benchmark, texts in solutions.items()}
        cells += list(_cells(config, models, name, found, {ALL: scores, LANGUAGE: scores[languages == LANGUAGE]}))
    write_study(config, cells)
    print(f"{(folder / TABLE).read_text()}\nstudy: {folder / PAGE}, {folder / TABLE}")


def write_study(config: Config, cells: list[Cell]) -> None:
    """All that the study has found, for programs, as Markdown and as a page."""
    folder, tables = Path(config.study.dir), study_tables(cells)
    write_json(
        folder / "study.json",
        [{**cell._asdict(), "auc": cell.auc._asdict(), "measure": cell.measure.title} for cell in cells],
    )
    write_text(folder / TABLE, markdown_of(tables))
    values = {"folder": folder, "figure": plot_study(cells), "tables": tables}
    template = Path(__file__).with_name("study.html.jinja")
    publish(folder / PAGE, config.run.dir, template, "snowcoder annotate study", **values)


def _cells(
    config: Config, models: Models, annotator: str, positives: dict[str, np.ndarray], negatives: dict[str, np.ndarray]
) -> Iterator[Cell]:
    for (benchmark, solved), (against, files) in product(positives.items(), negatives.items()):
        if len(files):
            auc = roc_auc(solved, files, config.study.resamples, config.run.seed)
            about = annotator, benchmark, against, len(solved), len(files)
            yield Cell(*about, auc, models.get(annotator, benchmark), models.measure)


def _annotators(study: StudyConfig) -> dict[str, Annotator]:
    missing = [f"  {name}: {path}" for name, path in study.annotators.items() if not (Path(path) / "model").is_dir()]
    if missing or not study.annotators:
        raise UserError(
            "study.annotators: not trained yet:\n" + "\n".join(missing or ["  none is named"]) + "\n"
            "`snowcoder annotate train annotator=edu` trains one; `'~study.annotators.edu'` leaves it out"
        )
    return {name: Annotator(Path(path)) for name, path in study.annotators.items()}


def _unseen_files(config: Config) -> list[CodeFile]:
    """Of the corpus, none of which any of the annotators was trained with. Raises UserError if no file is left."""
    learned: set[bytes] = set()
    for folder in config.study.annotators.values():
        learned |= learned_from(Path(folder))
    negatives = config.study.negatives
    found = [drawn.file for drawn in draw_files(config, negatives, "study", learned, _NEEDS).result()]
    if not found:
        raise UserError(
            f"study.negatives: annotators have learned from every file of {negatives.shards}: give it more shards, "
            "or train with a smaller annotator.negatives.files"
        )
    return found


def _solutions(study: StudyConfig) -> dict[str, list[str]]:
    if not study.benchmarks:
        raise UserError(
            "study.benchmarks is empty; give the paths of their data: '+study.benchmarks.mbpp=[mbpp.jsonl]'"
        )
    found = {}
    for name, paths in study.benchmarks.items():
        found[name] = [task.solution for task in read_task_texts(paths, f"study.benchmarks.{name}") if task.solution]
    without = [name for name, solutions in found.items() if not solutions]
    if without:
        raise UserError(f"study.benchmarks: {', '.join(without)} have tasks without solutions")
    return found
