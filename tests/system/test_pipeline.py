"""Chains of jobs: the phases one after another, and index building as an array."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from snowcoder.config.frozen import read_config
from snowcoder.lineage.manifest import find_manifest
from tests.system.jobs import SIZE, long_run
from tests.system.slurm.cluster import Cluster
from tests.tiny import curve, snowcoder, tiny_overrides

pytestmark = pytest.mark.slurm
SHORT = ["phases.phase1.tokens=3072", "optimizer.lr=3e-4"]


def submit_pipeline(slurm: Cluster, *words: str) -> list[str]:
    output = f"--output={slurm.folder}/job-%j.log"
    return re.findall(r"job (\d+)", slurm.call("slurm/pipeline.sh", *SIZE, output, *words))


@pytest.mark.slow
def test_the_phases_run_one_after_another(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    jobs = submit_pipeline(slurm, *long_run(tmp_path / "chain", workspace, *SHORT))
    assert len(jobs) == 3
    for job in jobs:
        ended = slurm.wait(job, seconds=240)
        assert ended.code == 0, ended.log
    here = long_run(tmp_path / "here", workspace, *SHORT)
    snowcoder("train", *here)
    assert read_config(tmp_path / "chain" / "resolved.yaml").optimizer.lr == 3e-4
    assert curve(tmp_path / "chain") == curve(tmp_path / "here")
    assert len(curve(tmp_path / "here")) == 14


def test_a_phase_that_fails_leaves_nothing_pending(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    jobs = submit_pipeline(slurm, *tiny_overrides(tmp_path, f"tokenizer.dir={tmp_path}/nowhere"))
    assert slurm.wait(jobs[0], seconds=60).code == 2
    for job in jobs[1:]:
        slurm.wait(job, seconds=30)
        assert "JobState=CANCELLED" in slurm.call("scontrol", "show", "job", job)


def test_an_index_is_built_by_an_array(tmp_path: Path, workspace: Path, slurm: Cluster) -> None:
    shards = tmp_path / "shards"
    for number, files in enumerate(in_quarters(sorted((workspace / "repositories" / "raw").iterdir()))):
        write_shard(shards / f"{number}.jsonl.gz", files)
    common = [f"tokenizer.dir={workspace}/tokenizer", f"index.sources.raw.shards={shards}", "index.held_out=0.1"]
    overrides = tiny_overrides(tmp_path / "array", *common)
    output, one = f"--output={slurm.folder}/job-%A-%a.log", ["--cpus-per-task=1"]
    array = slurm.call("sbatch", "--parsable", "--array=1-3", output, *one, "slurm/index.sh", "raw", *overrides)
    after = [f"--dependency=afterok:{array.strip()}", "--kill-on-invalid-dep=yes"]
    ended = slurm.wait(slurm.submit(*one, *after, "slurm/index.sh", "raw", *overrides), seconds=240)
    assert ended.code == 0, ended.log
    snowcoder("index", "build", "raw", *tiny_overrides(tmp_path / "here", *common))
    by_array, here = (find_manifest(tmp_path / way / "index" / "raw") for way in ("array", "here"))
    assert by_array is not None
    assert here is not None
    assert by_array.digest == here.digest
    assert len(by_array.counts["shards"]) == 4


def in_quarters(files: list[Path]) -> list[list[Path]]:
    return [files[n::4] for n in range(4)]


def write_shard(path: Path, files: list[Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as shard:
        for file in files:
            row = {"content": file.read_text(), "repo_name": "raw", "path": file.name, "language": "Python"}
            shard.write(json.dumps(row) + "\n")
