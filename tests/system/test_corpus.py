"""The corpus stage on a Ray cluster that a job starts on two nodes: the same documents as in one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowcoder.lineage.manifest import find_manifest
from tests.corpus.raw_shards import build_overrides, write_raw_shards
from tests.system.slurm.cluster import Cluster
from tests.tiny import snowcoder

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
TWO_NODES = ["--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=1"]


def test_two_nodes_make_what_one_process_makes(tmp_path: Path, slurm: Cluster) -> None:
    raw = write_raw_shards(tmp_path / "raw")
    job = slurm.submit(*TWO_NODES, "slurm/corpus.sh", *build_overrides(raw, tmp_path / "nodes"))
    ended = slurm.wait(job, seconds=600)
    assert ended.code == 0, ended.log
    snowcoder("corpus", "build", *build_overrides(raw, tmp_path / "here"))
    by_nodes, here = (find_manifest(tmp_path / way / "clean") for way in ("nodes", "here"))
    assert by_nodes
    assert here
    assert by_nodes.outputs == here.outputs
    assert by_nodes.counts == here.counts
