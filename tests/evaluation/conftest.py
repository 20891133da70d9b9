"""The benchmarks' data, where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snowcoder.evaluation.data import read_suite
from snowcoder.evaluation.suites import SUITES
from snowcoder.evaluation.tasks import Task
from tests.small_model import small_model

__all__ = ["small_model"]


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    folder = Path(os.environ.get("SNOWCODER_BENCHMARKS", Path.home() / ".cache/snowcoder/benchmarks"))
    if not (folder / SUITES["mbpp_plus"].file).is_file():
        pytest.skip(f"no benchmarks in {folder}; SNOWCODER_BENCHMARKS names another folder")
    return folder


@pytest.fixture(scope="session")
def humaneval(tmp_path_factory: pytest.TempPathFactory) -> list[Task]:
    """As it comes with snowcoder."""
    return read_suite(SUITES["humaneval"], tmp_path_factory.mktemp("nothing"))
