"""An annotator learns what its positives have, always the same, and from no benchmark."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from snowcoder.annotation import train
from snowcoder.annotation.annotator import MODEL, Annotator
from snowcoder.annotation.examples import EXAMPLES
from snowcoder.annotation.scores import SUFFIX, identities
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import Manifest
from snowcoder.lineage.vouched_shards import find_promised_shards
from snowcoder.storage.store import open_store
from tests.annotation.conftest import code, configure, overrides, write_files


def write_table(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path)


def weights(folder: Path) -> dict[str, list[float]]:
    found = load_file(folder / MODEL / "model.safetensors")
    return {name: tensor.flatten().tolist() for name, tensor in found.items()}


def test_it_tells_good_files_from_others(files: Path, encoder: Path, tmp_path: Path) -> None:
    train.run(configure(tmp_path, files, encoder))
    annotator = Annotator(tmp_path / "annotator")
    assert annotator.settings.metrics["ROC-AUC"] > 0.85
    draw = np.random.default_rng(11)
    good, other = (annotator.score([code(draw, share) for _ in range(20)]) for share in (1, 0))
    assert np.median(good) > 0.5 > other.max()


def test_a_frozen_encoder_stays_as_it_was(files: Path, encoder: Path, tmp_path: Path) -> None:
    train.run(configure(tmp_path, files, encoder, "annotator.encoder.train=head"))
    before, after = weights_of_encoder(encoder), weights(tmp_path / "annotator")
    changed = {name for name, values in before.items() if after[name] != values}
    assert changed == {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}


def weights_of_encoder(folder: Path) -> dict[str, list[float]]:
    found = load_file(folder / "model.safetensors")
    return {name: tensor.flatten().tolist() for name, tensor in found.items() if name.startswith("bert.")}


def test_labels_are_learned_by_regression(files: Path, encoder: Path, tmp_path: Path) -> None:
    labelled = ["~annotator.positives", f"annotator.positives={{labelled:{{shards:'{files}/labelled',files:120}}}}"]
    longer = ["annotator.train.epochs=30", "annotator.train.learning_rate=5e-3"]
    regression = ["annotator.head=regression", "annotator.negatives=null", *longer]
    train.run(configure(tmp_path, files, encoder, *labelled, *regression))
    annotator = Annotator(tmp_path / "annotator")
    assert annotator.settings.metrics["Spearman"] > 0.6
    draw = np.random.default_rng(11)
    assert annotator.score([code(draw, 1)])[0] == pytest.approx(4, abs=1)
    assert annotator.score([code(draw, 0)])[0] == pytest.approx(1, abs=1)


def test_killed_and_started_again_it_has_the_same_weights(files: Path, encoder: Path, tmp_path: Path) -> None:
    train.run(configure(tmp_path / "straight", files, encoder))
    arguments = ["annotate", "train", *overrides(tmp_path / "killed", files, encoder)]
    process = subprocess.Popen([sys.executable, "-m", "snowcoder", *arguments], start_new_session=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed").glob("annotator/trainer/*/checkpoint-*/trainer_state.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "annotator" / "manifest.json").exists()
    examples = (tmp_path / "killed" / "annotator" / EXAMPLES).stat().st_mtime_ns

    train.run(configure(tmp_path / "killed", files, encoder))
    assert weights(tmp_path / "killed" / "annotator") == weights(tmp_path / "straight" / "annotator")
    assert (tmp_path / "killed" / "annotator" / EXAMPLES).stat().st_mtime_ns == examples
    assert not (tmp_path / "killed" / "annotator" / "trainer").exists()


def test_a_second_run_does_nothing_and_other_examples_do(
    files: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.run(configure(tmp_path, files, encoder))
    first = weights(tmp_path / "annotator")
    capsys.readouterr()
    train.run(configure(tmp_path, files, encoder))
    assert "is up to date" in capsys.readouterr().out
    train.run(configure(tmp_path, files, encoder, "annotator.negatives.files=90"))
    assert weights(tmp_path / "annotator") != first


def test_no_example_is_in_a_benchmark_nor_both_good_and_other(files: Path, encoder: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(13)
    solution = "\n".join(f"    total{n} = first{n} * second{n} + {draw.integers(99)}" for n in range(12))
    task = {"task_id": "T/0", "prompt": "def planted(x):\n", "canonical_solution": solution}
    (tmp_path / "bench.jsonl").write_text(json.dumps(task))
    good = [code(draw, 1) for _ in range(40)]
    write_files(tmp_path / "files" / "good", [[text] for text in [*good, f"def planted(x):\n{solution}\n"]])
    write_files(tmp_path / "files" / "raw", [[text] for text in [*good, *(code(draw, 0) for _ in range(40))]])
    train.run(configure(tmp_path, tmp_path / "files", encoder, f"decontamination.benchmarks=[{tmp_path}/bench.jsonl]"))
    rows = pq.read_table(tmp_path / "annotator" / EXAMPLES).to_pylist()
    assert not [row for row in rows if "total3 = " in row["text"]]
    by_source = {name: {row["digest"] for row in rows if row["source"] == name} for name in ("good", "negatives")}
    assert by_source["good"]
    assert by_source["negatives"]
    assert not by_source["good"] & by_source["negatives"]


def test_mistakes_are_named(files: Path, encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)nothing to learn from.*positives\.good.*annotator\.negatives"):
        train.run(configure(tmp_path, tmp_path / "nowhere", encoder))
    with pytest.raises(UserError, match="too few examples to train an annotator"):
        train.run(configure(tmp_path, files, encoder, "annotator.positives.good.files=3"))
    scores = tmp_path / "low"
    for number, path in enumerate(sorted((files / "raw").iterdir())):
        count = 3 * pq.read_metadata(path).num_rows
        write_table(scores / f"shard-{number:05d}{SUFFIX}", pa.table({"score": [0.5] * count}))
    shards = find_promised_shards(open_store(f"{files}/raw", configure(tmp_path, files, encoder).storage))
    Manifest("annotate score", {"raw": identities(shards)}, {}, {}, []).write(scores)
    best = f"+annotator.positives.best={{shards:'{files}/raw',files:9,scores:'{scores}',at_least:0.6}}"
    with pytest.raises(UserError, match=r"positives\.best: .* has no file with a score of 0\.6 or more in"):
        train.run(configure(tmp_path, files, encoder, best))
    with pytest.raises(UserError, match="at most 64"):
        train.run(configure(tmp_path, files, encoder, "annotator.encoder.tokens=65"))
    with pytest.raises(UserError, match="package no_such is not installed"):
        train.run(configure(tmp_path, files, encoder, "annotator.encoder.name=package:no_such"))
