"""How alike synthetic samples are to a benchmark's tasks: Magicoder's comparison, by TF-IDF.

Each sample is compared with every task and counts with the one it is most alike to (Wei et al., 2023, figure on the
similarity with HumanEval: OSS-Instruct was less alike than Evol-Instruct, and that less than Self-Instruct).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from sklearn.feature_extraction.text import TfidfVectorizer

from snowcoder.config.schema import Config
from snowcoder.corpus.decontamination.task_texts import TaskTexts, read_task_texts
from snowcoder.corpus.document import DOCUMENTS
from snowcoder.permutation import key_of

_SAMPLES = 10_000  # at most, drawn from all
_BINS = 20


class Similarity(NamedTuple):
    """Cosines of TF-IDF vectors, from 0 to 1."""

    benchmark: str
    samples: int
    mean: float
    quantiles: list[float]  # 5%, 50%, 95%
    histogram: list[int]  # of twenty bins


def similarities(config: Config) -> list[Similarity]:
    """To each of `decontamination.benchmarks`, before copies and tasks were dropped."""
    tasks = defaultdict(list)
    for task in read_task_texts(config.decontamination.benchmarks):
        tasks[task.benchmark].append(task)
    texts = _texts(Path(config.synthesis.dir) / "checked", config.run.seed)
    return [_similarity(name, each, texts) for name, each in tasks.items()] if texts else []


def _similarity(name: str, tasks: list[TaskTexts], texts: list[str]) -> Similarity:
    wanted = ["\n".join([*task.problems[:1], task.solution]) for task in tasks]
    vectors: Any = TfidfVectorizer().fit_transform([*wanted, *texts])
    cosines = vectors[len(wanted) :] @ vectors[: len(wanted)].T  # of rows of length one
    nearest = cosines.max(axis=1).toarray().ravel()
    histogram, _ = np.histogram(nearest, bins=_BINS, range=(0, 1))
    quantiles = np.quantile(nearest, [0.05, 0.5, 0.95])
    return Similarity(name, len(texts), float(nearest.mean()), quantiles.tolist(), histogram.tolist())


def _texts(folder: Path, seed: int) -> list[str]:
    """Some of all samples: a file of them at a time, as a permutation has it."""
    paths = sorted(folder.glob(f"*{DOCUMENTS}"), key=lambda path: key_of(seed, "similarity", path.name))
    texts: list[str] = []
    for path in paths:
        if len(texts) >= _SAMPLES:
            break
        texts += pq.read_table(path, columns=["content"])["content"].to_pylist()
    return texts[:_SAMPLES]
