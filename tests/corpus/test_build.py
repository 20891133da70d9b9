"""`snowcoder corpus build`, the command: what is planted is found, what is killed goes on, what is done stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from snowcoder.config.corpus_schema import PiiConfig
from snowcoder.corpus.document import Document
from snowcoder.corpus.pii import Redactor
from snowcoder.lineage.manifest import find_manifest
from tests.corpus.raw_shards import ADDRESS, build_overrides, planted, write_raw_shards
from tests.tiny import snowcoder


def redact(text: str) -> str:
    return Redactor(PiiConfig(enabled=True)).redact(Document(text, "", "", "Python", ()))[0]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_raw_shards(tmp_path_factory.mktemp("raw"))


def texts_of(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted((folder / "clean").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def outputs(folder: Path) -> dict[str, str]:
    manifest = find_manifest(folder / "clean")
    assert manifest
    return {output.name: output.digest for output in manifest.outputs}


@pytest.fixture(scope="module")
def built(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    snowcoder("corpus", "build", *build_overrides(raw, folder))
    return folder


def test_what_is_planted_is_dropped_for_the_right_reason_and_counted(built: Path) -> None:
    report = json.loads((built / "corpus" / "report.json").read_text())
    dropped = {rule: files for rule, _, files, _ in report["dropped"]}
    assert dropped == dict.fromkeys(planted().keys() - {"address"}, 1)
    for rule, document in planted().items():
        if rule in ("exact copy", "near copy", "address"):
            continue
        (sample,) = report["samples"][rule]
        assert (sample["repository"], sample["path"]) == (document["repo_name"], document["path"])
    assert {hit["task"] for hit in report["hits"]} == {"Mine/0"}
    assert report["replaced"]["email"] >= 1  # authors of real files have some too
    assert not any(ADDRESS in document["content"] for document in texts_of(built))


def test_every_other_file_is_in_one_document_of_its_repository(built: Path, raw: Path) -> None:
    documents = texts_of(built)
    assert len({document["repo_name"] for document in documents}) == len(documents)
    found = {}
    for document in documents:
        start = 0
        for path, length in zip(document["file_paths"], document["file_lengths"], strict=True):
            found[document["repo_name"], path] = document["content"][start : start + length]
            start += length
        assert start == len(document["content"])
    rows = [row for path in (raw / "shards").iterdir() for row in pq.read_table(path).to_pylist()]
    given = {(row["repo_name"], row["path"]): row["content"] for row in rows}
    assert len(given) - len(found) == len(planted()) - 1
    redacted = {name: redact(given[name]) for name in found}
    assert found == redacted
    assert sum(given[name] == content for name, content in found.items()) > 0.8 * len(found)


def test_the_page_shows_the_rules_and_what_they_took(built: Path, raw: Path) -> None:
    snowcoder("corpus", "report", *build_overrides(raw, built))
    page = (built / "corpus" / "report.html").read_text()
    for words in ("near copy", "node_modules/x/y.py", "vendored", "Mine/0", "precision"):
        assert words in page


def test_a_second_build_does_nothing(built: Path, raw: Path) -> None:
    def changed() -> dict[Path, int]:
        folders = (built / "corpus" / "filtered", built / "corpus" / "washed", built / "corpus" / "grouped")
        files = [*(path for folder in folders for path in folder.iterdir()), *(built / "clean").glob("*.parquet")]
        return {path: path.stat().st_mtime_ns for path in files}

    before = changed()
    snowcoder("corpus", "build", *build_overrides(raw, built))
    assert changed() == before


def test_another_order_of_shards_gives_the_same_documents(built: Path, raw: Path, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for path in (raw / "shards").iterdir():
        (tmp_path / "shards" / f"{9 - int(path.stem[-1])}.parquet").write_bytes(path.read_bytes())
    (tmp_path / "tasks.jsonl").write_bytes((raw / "tasks.jsonl").read_bytes())
    snowcoder("corpus", "build", *build_overrides(tmp_path, tmp_path / "run"))
    assert texts_of(tmp_path / "run") == texts_of(built)


def test_a_killed_build_goes_on(built: Path, raw: Path, tmp_path: Path) -> None:
    """Twice, each time when another step has begun; it ends with the bytes of one that was not killed."""
    for step in ("filtered", "washed"):
        command = [sys.executable, "-m", "snowcoder", "corpus", "build", *build_overrides(raw, tmp_path)]
        process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not list((tmp_path / "corpus" / step).glob("shard-*.json")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    snowcoder("corpus", "build", *build_overrides(raw, tmp_path))
    assert outputs(tmp_path) == outputs(built)


def test_shards_of_somebody_else_are_not_touched(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "theirs.parquet").write_bytes(b"theirs")
    done = snowcoder("corpus", "build", *build_overrides(raw, tmp_path), check=False)
    assert done.returncode == 2
    assert "theirs.parquet" in done.stderr
    assert (tmp_path / "clean" / "theirs.parquet").read_bytes() == b"theirs"


def test_a_changed_rule_leaves_no_outdated_shard(raw: Path, tmp_path: Path) -> None:
    snowcoder("corpus", "build", *build_overrides(raw, tmp_path, "grouping=file"))
    many = len(outputs(tmp_path))
    snowcoder("corpus", "build", *build_overrides(raw, tmp_path, "corpus.partition_mib=64"))
    assert len(outputs(tmp_path)) == 1 <= many
    assert {path.name for path in (tmp_path / "clean").iterdir()} == {*outputs(tmp_path), "manifest.json"}


def test_a_corrupt_shard_is_named(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for path in (raw / "shards").iterdir():
        (tmp_path / "shards" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "shards" / "part-1.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "tasks.jsonl").write_bytes((raw / "tasks.jsonl").read_bytes())
    done = snowcoder("corpus", "build", *build_overrides(tmp_path, tmp_path / "run"), check=False)
    assert done.returncode == 1
    assert "part-1.parquet" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("override", ["decontamination.benchmarks=[{}/nowhere]", "licence_policy.opt_out={}/nowhere"])
def test_a_list_that_is_not_there_is_named_before_work_begins(raw: Path, tmp_path: Path, override: str) -> None:
    done = snowcoder("corpus", "build", *build_overrides(raw, tmp_path, override.format(tmp_path)), check=False)
    assert done.returncode == 2
    assert f"{tmp_path}/nowhere" in done.stderr
    assert not (tmp_path / "corpus").exists()


def test_input_and_output_must_differ(raw: Path, tmp_path: Path) -> None:
    done = snowcoder("corpus", "build", *build_overrides(raw, tmp_path, f"corpus.output={raw}/shards"), check=False)
    assert done.returncode == 2
    assert "corpus.output" in done.stderr
