"""The doctor's look at a real Slurm of two nodes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.doctor import topology
from tests.system.slurm.cluster import Cluster, why_not
from tests.tiny import tiny_overrides

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


def topology_of(cluster: Cluster, folder: Path, ranks: int) -> list[str]:
    """What the doctor says of as many ranks, run where a user calls sbatch."""
    phases = [f"phases.phase{n}.{key}" for n in (1, 2, 3) for key in ("global_batch=64", "tokens=1e6")]
    overrides = tiny_overrides(folder, *phases, "parallel=single", f"parallel.data={ranks}", "parallel.micro_batch=1")
    words = [sys.executable, "-m", "snowcoder", "doctor", "launch=slurm", "phase=phase1", *overrides]
    lines = cluster.call(*words, check=False).splitlines()
    return [" ".join(line.split()) for line in lines if line.split()[1:2] == ["topology"]]


def test_nodes_are_counted_and_those_out_of_use_named(cluster: Cluster, tmp_path: Path) -> None:
    there = len(cluster.call("sinfo", "--noheader", "--Node").splitlines())
    script, nodes = topology_of(cluster, tmp_path, 16)
    assert script.startswith("warning topology slurm/phase1.sh asks for 16 node(s) of 8 rank(s), `parallel` makes 16:")
    # The job script asks for 8 GPUs a node, which these nodes have not.
    assert nodes == (
        f"warning topology Slurm has {there} node(s) in use, 0 of them with 8 GPU(s), 2 needed: "
        "`sbatch --gpus-per-node=...`"
    )
    cluster.call("scontrol", "update", "nodename=node2", "state=drain", "reason=test")
    _, nodes = topology_of(cluster, tmp_path, 64)
    assert nodes.startswith(
        f"problem topology Slurm has {there - 1} node(s) in use; not in use: node2; 64 rank(s) at 8 a node need 8: "
    )


def test_a_controller_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if why_not():
        pytest.skip(str(why_not()))
    monkeypatch.setattr(topology, "_SINFO_SECONDS", 2)
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    config = load_config(tiny_overrides(tmp_path, "launch=slurm", "phase=phase1"))
    *_, finding = topology.topology_findings(config)
    assert finding.level == "problem"
    assert "Slurm does not answer (" in finding.text
