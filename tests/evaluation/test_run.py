"""`snowcoder evaluate` as a user runs it: killed, continued, repeated; and the card of an export."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snowcoder.evaluation.evaluate import RESULTS
from snowcoder.export.card import add_evaluation
from snowcoder.lineage.manifest import Manifest, describe_outputs, read_manifest
from snowcoder.sandbox.sandbox import Sandbox
from tests.tiny import snowcoder


@pytest.fixture
def words(small_model: Path, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The whole command line. `sandbox` skips the test where there can be none."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return [
        "evaluate",
        "recipe=demo",
        "storage=disk",
        f"run.dir={tmp_path}",
        f"evaluation.models.small={small_model}",
        "evaluation.suites=[humaneval,infilling]",
        "evaluation.first=5",
        "evaluation.generation.batch=1",
        "evaluation.generation.new_tokens=8",
        "evaluation.bits={source:null,solutions:[humaneval]}",
    ]


def completions(folder: Path) -> list[str]:
    try:
        lines = (folder / "evaluation/small/humaneval/completions.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line)["text"] for line in lines[1:]]


def test_a_killed_evaluation_goes_on_and_a_finished_one_does_nothing(words: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "snowcoder", *words], start_new_session=True)
    deadline = time.monotonic() + 120
    while len(completions(tmp_path)) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = completions(tmp_path)
    snowcoder(*words)
    after = completions(tmp_path)
    assert len(after) == 5
    assert after[: len(before)] == before
    written = json.loads((tmp_path / "evaluation" / RESULTS).read_text())
    results, (bits,) = written["results"], written["bits_per_byte"]
    assert (bits["of"], bits["given_a_prompt"], len(bits["bits"])) == ("HumanEval", True, 5)
    assert bits["bits_per_byte"]["low"] < sum(bits["bits"]) / sum(bits["sizes"]) < bits["bits_per_byte"]["high"]
    assert "solutions, given their tasks" in (tmp_path / "evaluation" / "table.md").read_text()
    assert [(each["level"], each["tasks"], sum(each["statuses"].values())) for each in results] == [
        ("HumanEval", 5, 5),
        ("Infilling", 5, 5),
    ]
    assert all(each["pass_at"]["1"]["high"] > each["pass_at"]["1"]["value"] for each in results)
    manifest = read_manifest(tmp_path / "evaluation", "snowcoder evaluate")
    assert manifest.check_files(tmp_path / "evaluation", digests=True) == []
    assert "is up to date" in snowcoder(*words).stdout


def test_a_guided_model_is_compared_with_the_same_model_without(words: list[str], tmp_path: Path) -> None:
    more = ["evaluation.suites=[humaneval]", "evaluation.bits.solutions=[]", "evaluation.generation.new_tokens=24"]
    done = snowcoder(*words, *more, "evaluation.first=3", "guidance=full")
    folder = tmp_path / "evaluation"
    written = json.loads((folder / RESULTS).read_text())
    assert [each["model"] for each in written["results"]] == ["small", "small-guided"]
    plain, guided = (each["share"]["value"] for each in written["parsing"])
    assert guided > plain  # random words are hardly ever Python; where it may end, it parses
    assert "| small to small-guided |" in done.stdout
    counts = json.loads((folder / "small-guided" / "humaneval" / "guidance.json").read_text())
    assert counts["refused"] > 0
    assert counts["calls"] == len((folder / "small-guided/humaneval/engine/answers.jsonl").read_text().splitlines()) > 0
    assert not (folder / "small" / "humaneval" / "guidance.json").exists()


def test_what_is_not_there_is_told_before_anything_runs(words: list[str], tmp_path: Path) -> None:
    done = snowcoder(*words, f"evaluation.models.other={tmp_path}/nowhere", check=False)
    assert done.returncode == 2
    assert f"other: {tmp_path}/nowhere" in done.stderr
    done = snowcoder(*words, "evaluation.baseline=nobody", check=False)
    assert done.returncode == 2
    assert "evaluation.baseline=nobody: not a name in evaluation.models; allowed: small" in done.stderr
    done = snowcoder(*words, "evaluation.generation.backend=server", check=False)
    assert done.returncode == 2
    assert "evaluation.generation.server: name the server" in done.stderr
    assert not (tmp_path / "evaluation").exists()


def test_the_card_carries_the_table_once(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# A model\n\nAbout it.\n")
    Manifest("export", {"checkpoint": "1"}, {}, {}, describe_outputs(tmp_path, ["README.md"])).write(tmp_path)
    for table in ("| first |", "| second |"):
        add_evaluation(tmp_path, table)
        text = (tmp_path / "README.md").read_text()
        assert text.startswith("# A model\n\nAbout it.\n\n## Evaluation\n")
        assert text.endswith(table)
        assert text.count("## Evaluation") == 1
        assert read_manifest(tmp_path, "").check_files(tmp_path, digests=True) == []
