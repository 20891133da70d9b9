"""Fixtures for tests of the whole system."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.jobs import STEPS, long_run
from tests.system.slurm.cluster import Cluster, why_not
from tests.tiny import curve, snowcoder


@pytest.fixture
def slurm(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, which no job of a test outlives."""
    yield cluster
    cluster.clear()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Slurm cluster of three nodes, gone after the tests however they end."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        cluster.environment["SNOWCODER_VENV"] = sys.prefix  # jobs use the environment that runs the tests
        yield cluster


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> list[tuple[float, float]]:
    """The curve of `long_run`, without Slurm and without faults."""
    folder = tmp_path_factory.mktemp("undisturbed")
    snowcoder("train", *long_run(folder, workspace), "phase=phase1")
    losses = curve(folder)
    assert len(losses) == STEPS
    return losses
