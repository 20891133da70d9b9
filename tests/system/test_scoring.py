"""Scores by workers on two nodes: the same as by one process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from snowcoder.annotation.scores import SUFFIX
from tests.annotation.conftest import encoder, files, overrides
from tests.system.slurm.cluster import Cluster
from tests.system.test_corpus import TWO_NODES
from tests.tiny import snowcoder

__all__ = ["encoder", "files"]  # fixtures
pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_two_nodes_score_as_one_process_does(tmp_path: Path, slurm: Cluster, files: Path, encoder: Path) -> None:
    here, nodes = tmp_path / "here", tmp_path / "nodes"
    snowcoder("annotate", "train", *overrides(here, files, encoder))
    shutil.copytree(here, nodes)
    job = slurm.submit(*TWO_NODES, "--gpus-per-node=0", "slurm/score.sh", *overrides(nodes, files, encoder))
    ended = slurm.wait(job, seconds=600)
    assert ended.code == 0, ended.log
    snowcoder("annotate", "score", *overrides(here, files, encoder))
    for path in sorted((here / "annotator" / "scores").glob(f"*{SUFFIX}")):
        assert pq.read_table(path).equals(pq.read_table(nodes / "annotator" / "scores" / path.name))
