"""A seed, a sample or a kept document that is lost between the steps of a recipe is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.corpus.dedup.resolve import COPIES
from snowcoder.corpus.document import DOCUMENTS
from snowcoder.corpus.shuffled_shard import write_partitioned
from snowcoder.corpus.wash import Wash
from snowcoder.errors import OperationError
from snowcoder.lineage.rows import RowCounts
from snowcoder.stages.steps import Record, WorkItem
from snowcoder.stages.tables import Table
from snowcoder.synthesis import publish as publishing
from snowcoder.synthesis.check_samples import CheckSamples
from snowcoder.synthesis.generate import AskModels
from snowcoder.synthesis.publish import Publish

NAME = "part-00000"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    places = [f"synthesis.{side}={tmp_path_factory.mktemp(side)}" for side in ("python", "other")]
    return load_config(["storage=disk", "synthesis=code_file", "decontamination.benchmarks=[]", *places])


def outcome(seed: str, step: str, reason: str | None = None) -> dict[str, Any]:
    return {"id": f"{seed}/{step}", "seed": seed, "step": step, "reason": reason, "fields": '{"code": "x = 1\\n"}'}


def generate(folder: Path, config: Config, rows: int) -> Record:
    """Of three seeds: two samples of one, nothing of another."""
    step, item = AskModels(folder / "answers", config, lambda: None), WorkItem(NAME, "", {"rows": rows})
    step.outcomes[NAME] = [
        outcome("a", "one"),
        outcome("a", "two"),
        outcome("b", "one", "no code"),
        outcome("c", "one"),
    ]
    step.counts[NAME] = {}
    step(asdict(item))
    record = step.find(item)
    assert record
    return record


def check(folder: Path, config: Config) -> Record:
    generate(folder, config, 3)
    step, item = (
        CheckSamples(folder / "checked", config, folder / "answers"),
        WorkItem(NAME, "", {"number": 0, "rows": 4}),
    )
    step(asdict(item))
    record = step.find(item)
    assert record
    return record


def publish(folder: Path, config: Config) -> Record:
    (documents,) = check(folder, config).tables_in(folder / "checked", DOCUMENTS)
    write_partitioned(folder / "copies.parquet", COPIES.empty_table(), np.zeros(0, np.int64))
    step = Publish(folder / "published", config, Table(folder / "copies.parquet", 0))
    item = WorkItem(NAME, "", {"number": 0, "documents": str(documents.path), "rows": documents.rows})
    step(asdict(item))
    record = step.find(item)
    assert record
    return record


def without_the_last(function: Callable[..., Iterable[Any]]) -> Callable[..., list[Any]]:
    return lambda *arguments: list(function(*arguments))[:-1]


def test_rows_of_a_recipe_add_up(tmp_path: Path, config: Config) -> None:
    assert generate(tmp_path, config, 3).rows == RowCounts(3, 3)
    assert check(tmp_path, config).rows == RowCounts(4, 3, 1)
    assert publish(tmp_path, config).rows == RowCounts(3, 3)


def test_a_seed_without_an_outcome_is_missed(tmp_path: Path, config: Config) -> None:
    with pytest.raises(OperationError, match="answers part-00000: of 4 rows 3 were written and 0 dropped"):
        generate(tmp_path, config, 4)


def test_samples_that_nobody_judges_are_missed(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CheckSamples, "_judged", without_the_last(CheckSamples._judged))
    with pytest.raises(OperationError, match="checked part-00000: of 4 rows 2 were written and 1 dropped"):
        check(tmp_path, config)


@pytest.mark.parametrize(("where", "name"), [(Wash, "__call__"), (publishing, "documents_of")])
def test_documents_that_are_not_published_are_missed(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch, where: Any, name: str
) -> None:
    monkeypatch.setattr(where, name, without_the_last(getattr(where, name)))
    with pytest.raises(OperationError, match="published part-00000: of 3 rows 2 were written and 0 dropped"):
        publish(tmp_path, config)
