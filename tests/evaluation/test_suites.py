"""The benchmarks as their authors publish them: their own solutions pass, wrong ones fail."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from snowcoder.errors import OperationError, UserError
from snowcoder.evaluation.calibrate import calibrate_limits
from snowcoder.evaluation.data import read_suite, suites_of
from snowcoder.evaluation.infilling import single_lines
from snowcoder.evaluation.score import Candidate, score
from snowcoder.evaluation.suites import SUITES
from snowcoder.evaluation.tasks import Task
from snowcoder.sandbox.sandbox import Sandbox

# Own solutions that cannot pass, with the cause: none, where a suite is not named.
KNOWN: dict[str, set[str]] = {}


def test_humaneval_comes_with_snowcoder(humaneval: list[Task], sandbox: Sandbox, tmp_path: Path) -> None:
    """Every tenth task: its own solution, and what a model might write instead."""
    tasks = humaneval[::10]
    calibration = calibrate_limits(SUITES["humaneval"], tasks, sandbox, tmp_path / "calibration.json")
    assert calibration.failures() == {}
    right = [Candidate(task, task.program(task.canonical[len(task.prompt) :])) for task in tasks]
    wrong = [Candidate(task, task.program(f"\n    {line}")) for task in tasks for line in ("pass", "return 12345", "(")]
    verdicts = score(SUITES["humaneval"], [*right, *wrong], calibration, sandbox)
    assert [verdict.passed for verdict in verdicts] == [True] * len(right) + [False] * len(wrong)


def test_infilling_takes_one_line_out(humaneval: list[Task], sandbox: Sandbox, tmp_path: Path) -> None:
    tasks = single_lines(humaneval[:2])
    assert [task.name for task in tasks[:3]] == ["HumanEval/0/0", "HumanEval/0/1", "HumanEval/0/2"]
    lines = [task.canonical.splitlines()[task.prompt.count("\n")] for task in tasks]
    assert all(task.program(line).strip() == task.canonical.strip() for task, line in zip(tasks, lines, strict=True))
    calibration = calibrate_limits(SUITES["infilling"], tasks, sandbox, tmp_path / "calibration.json")
    candidates = [Candidate(task, task.program(line)) for task, line in zip(tasks, lines, strict=True)]
    blank = [Candidate(task, task.program("")) for task in tasks]
    verdicts = score(SUITES["infilling"], [*candidates, *blank], calibration, sandbox)
    assert [verdict.passed for verdict in verdicts] == [True] * len(tasks) + [False] * len(tasks)


def test_prompts_are_the_papers(humaneval: list[Task]) -> None:
    assert all(not task.prompt.endswith("\n") for task in humaneval)
    assert all(task.canonical.startswith(task.prompt) for task in humaneval)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mbpp", b'{"task_id": 11}\n'),
        ("humaneval", b"<html>Not found</html>"),
        ("humaneval", gzip.compress(b"{}\n", mtime=0)),
        ("humaneval", gzip.compress(b"{}\n", mtime=0)[:-9]),
    ],
)
def test_other_data_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    suite = SUITES[name]
    path = tmp_path / suite.file
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"{path}: is not {suite.title} of .*its digest is"):
        read_suite(suite, tmp_path)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_data_are_downloaded_once(tmp_path: Path, humaneval: list[Task]) -> None:
    content = gzip.decompress((Path(__file__).parents[2] / "snowcoder/evaluation/data/HumanEval.jsonl.gz").read_bytes())
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "He.jsonl").write_bytes(content)
    with serving(tmp_path / "there") as url:
        suite = replace(SUITES["humaneval"], file="x/He.jsonl", url=f"{url}/He.jsonl")
        assert read_suite(suite, tmp_path / "here") == humaneval
    assert read_suite(suite, tmp_path / "here") == humaneval  # without the server
    with pytest.raises(OperationError, match=r"cannot be downloaded from .*set evaluation.data"):
        read_suite(suite, tmp_path / "elsewhere")


def test_unknown_suites_are_named() -> None:
    with pytest.raises(UserError, match=r"humanevil: not known; allowed: humaneval, "):
        suites_of(["humaneval", "humanevil"])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SUITES if name != "bigcodebench"])
def test_all_own_solutions_pass(name: str, benchmarks: Path, tmp_path: Path) -> None:
    suite, sandbox = SUITES[name], Sandbox()
    tasks = read_suite(suite, benchmarks)
    calibration = calibrate_limits(suite, tasks, sandbox, tmp_path / "calibration.json")
    verdicts = score(suite, [Candidate(task, task.canonical) for task in tasks], calibration, sandbox)
    failed = {task.name for task, verdict in zip(tasks, verdicts, strict=True) if not verdict.passed}
    assert failed == KNOWN.get(name, set())
