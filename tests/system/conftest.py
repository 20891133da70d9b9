"""Fixtures for tests of the whole system."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.slurm.cluster import Cluster, why_not


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Slurm cluster of two nodes, gone after the tests however they end."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster
