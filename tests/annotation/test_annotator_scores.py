"""The fast way to scores gives what the reference gives, for every file, once, in its place."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr

from snowcoder.annotation import quantize, score, train
from snowcoder.annotation.annotator import Annotator
from snowcoder.annotation.code_files import files_of_batch
from snowcoder.annotation.scores import SUFFIX
from snowcoder.config.schema import ColumnsConfig
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import find_manifest
from snowcoder.stages.lock import ALL, Busy, build_lock
from snowcoder.stages.steps import _clean
from snowcoder.storage.shards import read_shard
from tests.annotation.conftest import SHARDS, configure, overrides
from tests.read_keys import noting

ONE = "index.sources.raw.shards={}/one"


@pytest.fixture(scope="module")
def trained(files: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train.run(configure(folder, files, encoder))
    return folder / "annotator"


@pytest.fixture
def run_folder(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "annotator")
    return tmp_path


def tables(folder: Path) -> dict[str, list[dict[str, object]]]:
    return {path.name: pq.read_table(path).to_pylist() for path in sorted(folder.glob(f"*{SUFFIX}"))}


def test_each_key_that_it_reads_decides_what_is_scored_again(files: Path, encoder: Path, run_folder: Path) -> None:
    with noting() as notes:
        score.run(configure(run_folder, files, encoder, "annotator.score.runtime=torch", ONE.format(files)))
    assert (ColumnsConfig, "file_lengths") in notes.keys[score.ScoreFiles]
    assert notes.forgotten({"ScoreConfig.runtime": ["openvino", "torch"]}) == []


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_every_file_has_the_score_of_the_reference(runtime: str, files: Path, encoder: Path, run_folder: Path) -> None:
    config = configure(run_folder, files, encoder, f"annotator.score.runtime={runtime}", ONE.format(files))
    score.run(config)
    found = tables(run_folder / "annotator" / "scores")
    annotator = Annotator(run_folder / "annotator")
    for number, path in enumerate(sorted((files / "one").iterdir())):
        every = [
            file
            for batch in read_shard(path, path.name, config.index.columns, 1 << 20)
            for row in files_of_batch(batch)
            for file in row.files
        ]
        rows = found[f"shard-{number:05d}{SUFFIX}"]
        assert [(row["repository"], row["path"]) for row in rows] == [(file.repository, file.path) for file in every]
        expected, mine = annotator.score([file.content for file in every]), np.array([row["score"] for row in rows])
        # int8 costs so small an encoder more than a real one, of which `make bench NAME=scoring` tells.
        assert spearmanr(mine, expected).statistic > (0.9999 if runtime == "torch" else 0.95)
        np.testing.assert_allclose(mine, expected, atol=1e-4 if runtime == "torch" else 0.05)
    manifest = find_manifest(run_folder / "annotator" / "scores")
    assert manifest
    assert manifest.counts["files"] == sum(map(len, found.values()))


def test_killed_and_started_again_it_scores_only_what_is_missing(files: Path, encoder: Path, run_folder: Path) -> None:
    options = ["annotator.score.runtime=torch", "corpus.engine.workers=1"]
    folder = run_folder / "annotator" / "scores"
    command = [sys.executable, "-m", "snowcoder", "annotate", "score", *overrides(run_folder, files, encoder, *options)]
    process = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(folder.glob("shard-*.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "manifest.json").exists()
    done = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.json")}
    score.run(configure(run_folder, files, encoder, *options))
    assert len(tables(folder)) == SHARDS
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())


def test_a_second_run_does_nothing(
    files: Path, encoder: Path, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(run_folder, files, encoder, "annotator.score.runtime=torch", ONE.format(files))
    score.run(config)
    capsys.readouterr()
    score.run(config)
    assert "is up to date" in capsys.readouterr().out


def test_an_annotator_that_was_trained_again_scores_with_what_it_learned(
    files: Path, encoder: Path, run_folder: Path
) -> None:
    options = ["annotator.score.runtime=openvino", ONE.format(files)]
    score.run(configure(run_folder, files, encoder, *options))
    again = [*options, "run.seed=8", "annotator.train.epochs=2"]
    train.run(configure(run_folder, files, encoder, *again))
    config = configure(run_folder, files, encoder, *again)
    score.run(config)
    (path,) = (files / "one").iterdir()
    batches = read_shard(path, path.name, config.index.columns, 1 << 20)
    texts = [file.content for batch in batches for row in files_of_batch(batch) for file in row.files]
    (rows,) = tables(run_folder / "annotator" / "scores").values()
    expected = Annotator(run_folder / "annotator").score(texts)
    np.testing.assert_allclose([row["score"] for row in rows], expected, atol=0.05)


def test_a_step_that_cleans_its_folder_leaves_the_lock_there(files: Path, encoder: Path, run_folder: Path) -> None:
    folder = run_folder / "annotator" / "scores"
    with build_lock(folder, ALL):
        _clean(score.ScoreFiles(folder, configure(run_folder, files, encoder), 1), [], [])  # keeps the lock
        with pytest.raises(Busy), build_lock(folder, ALL):
            pass


def test_mistakes_are_named(
    files: Path, encoder: Path, run_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(UserError, match="run `snowcoder annotate train`"):
        score.run(configure(tmp_path_factory.mktemp("empty"), files, encoder))
    weights = run_folder / "annotator" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"(?s)model\.safetensors.*run `snowcoder annotate train` again"):
        score.run(configure(run_folder, files, encoder, ONE.format(files)))


def test_where_int8_ranks_otherwise_it_is_not_used(
    files: Path, encoder: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quantize, "_AGREEMENT", 1.1)
    config = configure(run_folder, files, encoder, "annotator.score.runtime=openvino", ONE.format(files))
    score.run(config)
    assert "int8 is not used" in capsys.readouterr().out
    assert "FakeQuantize" not in (run_folder / "annotator" / "openvino" / "model.xml").read_text()
