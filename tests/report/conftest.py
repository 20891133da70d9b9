"""Runs to report on: folders that a test fills, and one real run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from run_folder import PHASES, RunFolder

from tests.tiny import snowcoder, tiny_overrides


@pytest.fixture
def make_run(tmp_path: Path, one_rank: None) -> Callable[..., RunFolder]:
    return lambda *overrides: RunFolder(tmp_path / "run", *overrides)


@pytest.fixture(scope="session")
def real_run(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """A run whose first phase is trained: 14 steps of 30."""
    folder = tmp_path_factory.mktemp("real") / "run"
    shared = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index", "index.held_out=0.1"]
    overrides = tiny_overrides(folder, *shared, *PHASES, "parallel=single", "logging.validate_every=10")
    snowcoder("plan", *overrides)
    snowcoder("train", *overrides, "phase=phase1")
    return folder
