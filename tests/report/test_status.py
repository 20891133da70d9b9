"""`snowcoder status` of a run in any state: what it says, and that it always says something."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from run_folder import RunFolder

from snowcoder import readable
from snowcoder.errors import UserError
from snowcoder.model.size import flops_per_token
from snowcoder.report.records import read_records
from snowcoder.report.status import lines, summarize_run
from snowcoder.storage.lock import locked
from snowcoder.training.checkpoints.completion_record import RECORD
from tests.tiny import snowcoder

MakeRun = Callable[..., RunFolder]


def status_of(folder: Path, later: float = 0.0) -> dict[str, Any]:
    """The status as somebody sees it who looks so many seconds later."""
    return summarize_run(read_records(str(folder)), datetime.now(UTC) + timedelta(seconds=later))


def text_of(folder: Path, later: float = 0.0) -> str:
    return "\n".join(lines(status_of(folder, later)))


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "not started"),
        (["started"], "running"),
        (["started", "warning", "checkpoint"], "running"),
        (["started", "stopped"], "stopped"),
        (["started", "failed"], "failed"),
        (["started", "failed", "gave-up"], "gave up"),
        (["started", "failed", "requeued"], "waiting to go on"),
        (["started", "failed", "requeued", "started"], "running"),
        (["started", "ended"], "finished"),
        (["started", "ended", "started"], "running"),
    ],
)
def test_the_state_is_that_of_the_last_turn_in_the_events(make_run: MakeRun, events: list[str], state: str) -> None:
    run = make_run()
    for kind in events:
        run.events.add(kind, f"why it {kind}")
    status = status_of(run.folder)
    assert status["state"] == state
    assert not status["quiet"]
    if events and events[-1] != "checkpoint":
        assert status["why"] == f"why it {events[-1]}"
    assert text_of(run.folder).startswith(f"{run.folder}: {state}")


def test_steps_after_an_end_mean_that_it_goes_on(make_run: MakeRun) -> None:
    """Also where the start was not recorded."""
    run = make_run()
    run.events.add("started", "from initial weights")
    run.steps(3)
    run.events.add("failed", "rank 1 was lost")
    assert status_of(run.folder)["state"] == "failed"
    log = run.folder / "events.log"
    log.write_text(log.read_text().replace(f"{datetime.now(UTC):%Y}-", "2025-"))
    assert status_of(run.folder)["state"] == "running"


def test_a_running_run_without_a_sign_of_life_says_so(make_run: MakeRun) -> None:
    run = make_run("launch.silent_seconds=60")
    run.events.add("started", "from initial weights")
    run.steps(3)
    assert "nothing was heard" not in text_of(run.folder, later=200)
    assert "running" in text_of(run.folder, later=3600)
    assert "nothing was heard of it for 1:00:0" in text_of(run.folder, later=3600)
    run.events.add("stopped", "by SIGTERM")
    assert "nothing was heard" not in text_of(run.folder, later=3600)


def test_a_slow_run_may_be_silent_for_longer(make_run: MakeRun) -> None:
    run = make_run("launch.silent_seconds=1")
    run.events.add("started", "from initial weights")
    run.steps(3)  # half a second each
    assert not status_of(run.folder, later=9)["quiet"]
    assert status_of(run.folder, later=30)["quiet"]


def test_a_run_without_a_step(make_run: MakeRun) -> None:
    run = make_run()
    run.events.add("started", "from initial weights")
    text = text_of(run.folder)
    assert "no step finished yet of 30" in text
    assert "no checkpoint yet" in text
    assert status_of(run.folder)["seconds_left"] == {"phase": None, "run": None}


def test_progress_and_time_left(make_run: MakeRun) -> None:
    """14, 10 and 6 steps of half a second; 4 are left of phase 1."""
    run = make_run("phase=[phase1,phase2]")
    run.events.add("started", "from initial weights")
    run.steps(10)
    status = status_of(run.folder)
    assert (status["phase"], status["step"], status["total_steps"]) == ("phase1", 10, 30)
    assert status["tokens_per_second"] == 1024
    assert status["seconds_left"] == {"phase": 2.0, "run": 7.0}
    text = text_of(run.folder)
    assert "phase1, step 10 of 30" in text
    assert "loss 5.0000, gradient norm 1.250, learning rate 1.00e-03, 1,024 tokens/s" in text
    assert "left at this speed: phase 0:00:02, run 0:00:07" in text
    run.steps(4)
    assert status_of(run.folder)["seconds_left"] == {"phase": 0.0, "run": 5.0}


def test_flops_and_waiting_for_data(make_run: MakeRun) -> None:
    """Of the recent steps: a fifth of their time was spent waiting, and two ranks share 1,024 tokens/s."""
    run = make_run("precision=bf16", "precision.peak_tflops=1e-3")
    run.steps(10)
    config = run.run.config
    full, causal = (512 * flops_per_token(config.model, 64, half) / 1e12 for half in (False, True))
    status = status_of(run.folder)
    assert (status["tflops"], status["tflops_causal"]) == (pytest.approx(full), pytest.approx(causal))
    assert status["data_share"] == pytest.approx(0.2)
    text = text_of(run.folder)
    one, other = (readable.flops(count * 1e12) for count in (full, causal))
    assert f"{one} a rank with full attention ({other} with its causal half)" in text
    assert "waiting for data: 20.0% of the time" in text


def test_the_share_of_a_peak_that_is_known(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowcoder.model.platform.ON_CPU", False)  # there is no GPU to have one of
    run = make_run("precision.peak_tflops=1")
    run.steps(1)
    status = status_of(run.folder)
    assert status["mfu"] == status["tflops"] > status["mfu_causal"] > 0
    assert f"{status['mfu']:.1%} of the peak" in text_of(run.folder)


def test_records_of_an_earlier_version_have_no_flops(make_run: MakeRun) -> None:
    run = make_run()
    run.steps(2)
    path = run.folder / "metrics.jsonl"
    new = ("data_seconds", "tflops", "tflops_causal", "mfu", "mfu_causal")
    records = [{k: v for k, v in json.loads(line).items() if k not in new} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    status = status_of(run.folder)
    assert [status[key] for key in (*new[1:], "data_share")] == [None] * 5
    assert "1,024 tokens/s" in text_of(run.folder)
    run.steps(1)  # by this version
    assert status_of(run.folder)["data_share"] == pytest.approx(0.2)
    assert status_of(run.folder)["tflops"] > 0


def test_metrics_that_end_in_half_a_line_or_hold_rubbish(make_run: MakeRun) -> None:
    run = make_run()
    run.steps(3)
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "st\n[1]\n')
    run.steps(2)
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "step": 6, "lo')
    assert status_of(run.folder)["step"] == 5


def test_a_loss_that_is_no_number_is_null(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    run.steps(1, loss=float("nan"))
    assert "loss ?" in text_of(run.folder)
    assert status_of(run.folder)["loss"] is None


def test_restarts_say_what_ended_the_run_before(make_run: MakeRun) -> None:
    run = make_run()
    for kind, text, step in [
        ("started", "from initial weights", 0),
        ("failed", "rank 1 on node2 was lost", 7),
        ("requeued", "job 12, 1 of 3", None),
        ("started", "from step 5", 5),
        ("started", "from step 10", 10),
        ("stopped", "by SIGUSR1, after saving at step 12", 12),
        ("started", "from step 12", 12),
    ]:
        run.events.add(kind, text, step)
    found = [(restart["step"], restart["why"]) for restart in status_of(run.folder)["restarts"]]
    assert found == [
        (5, "failed: rank 1 on node2 was lost"),
        (10, "the run before ended without a word: killed from outside, or its node lost"),
        (12, "stopped: by SIGUSR1, after saving at step 12"),
    ]
    text = text_of(run.folder)
    assert "restarts: 3" in text
    assert "step 5: failed: rank 1 on node2 was lost" in text


def test_the_last_checkpoint_when_and_whether_uploaded(make_run: MakeRun) -> None:
    run = make_run("checkpoint.upload=s3://bucket/run")
    run.steps(5)
    os.utime(run.checkpoint() / RECORD, (1_790_000_000, 1_790_000_000))
    assert "last checkpoint: step 5 (phase1), 2026-09-21T14:13:20Z, not uploaded yet" in text_of(run.folder)
    run.events.add("uploaded", "to s3://bucket/run/step-00000005", 5)
    assert "2026-09-21T14:13:20Z, uploaded" in text_of(run.folder)
    run.steps(5)
    run.checkpoint()
    assert status_of(run.folder)["checkpoint"]["uploaded"] is False


def test_a_damaged_record_leaves_the_checkpoint_before_it(make_run: MakeRun) -> None:
    run = make_run()
    run.steps(5)
    run.checkpoint()
    run.steps(5)
    (run.checkpoint() / RECORD).write_text('{"step": 1')
    status = status_of(run.folder)
    assert status["checkpoint"]["step"] == 5
    assert status["checkpoint"]["uploaded"] is None
    assert any("step-00000010/COMPLETE.json cannot be read" in note for note in status["notes"])


def test_what_was_passed_over_and_rolled_back(make_run: MakeRun) -> None:
    run = make_run()
    run.steps(3)
    run.skip(3, 4, "not finite: loss nan")
    run.checkpoint()
    run.skip(5, 8, "loss spike at step 8", back_to=4)  # known to the ledger, not yet to a checkpoint
    run.events.add("rolled-back", "loss spike at step 8; went back to step 4", 4)
    status = status_of(run.folder)
    assert [record["step"] for record in status["skipped_steps"]] == [4, 6, 7, 8]
    assert status["skipped_windows"] == [
        {"first": 3, "last": 4, "why": "not finite: loss nan"},
        {"first": 5, "last": 8, "why": "loss spike at step 8"},
    ]
    text = text_of(run.folder)
    assert "    step 4: not finite: loss nan" in text
    assert "    steps 6 to 8: loss spike at step 8" in text
    assert "rollbacks: 1" in text
    (run.folder / "train" / "skips.json").unlink()
    assert len(status_of(run.folder)["skipped_windows"]) == 1  # what the checkpoint knows


def test_the_newest_warnings(make_run: MakeRun) -> None:
    run = make_run()
    for number in range(8):
        run.events.add("warning", f"warning number {number}")
    run.events.add("passed-over", "step-00000010: meta is missing", 10)
    text = text_of(run.folder)
    assert "warnings: 9, the newest 5" in text
    assert "warning number 7" in text
    assert "step 10: step-00000010: meta is missing" in text
    assert "warning number 3" not in text
    assert len(status_of(run.folder)["warnings"]) == 9


def test_events_and_config_that_cannot_be_read_are_notes(make_run: MakeRun) -> None:
    run = make_run()
    run.steps(2)
    run.events.add("started", "from initial weights")
    (run.folder / "resolved.yaml").write_text("run: {dir: there}\n")
    with (run.folder / "events.log").open("ab") as file:
        file.write(b"not-a-time  started      step -        node1      text\n")
    status = status_of(run.folder)
    assert status["step"] == 2
    assert any("resolved.yaml is not a frozen config of this version" in note for note in status["notes"])


KEYS = [
    "run",
    "state",
    "since",
    "why",
    "silent_seconds",
    "quiet",
    "phase",
    "step",
    "total_steps",
    "loss",
    "gradient_norm",
    "learning_rate",
    "tokens_per_second",
    "tflops",
    "tflops_causal",
    "mfu",
    "mfu_causal",
    "data_share",
    "seconds_left",
    "checkpoint",
    "restarts",
    "skipped_steps",
    "skipped_windows",
    "rollbacks",
    "warnings",
    "ledger",
    "cursors",
    "notes",
]


def test_json_by_the_real_command_of_a_real_run(real_run: Path) -> None:
    status = json.loads(snowcoder("status", str(real_run), "json").stdout)
    assert list(status) == KEYS
    assert status["state"] == "finished"
    assert (status["phase"], status["step"], status["total_steps"]) == ("phase1", 14, 30)
    assert status["checkpoint"]["step"] == 14
    assert status["ledger"] == {"phase1": {"raw": 7168}}
    assert status["cursors"]["raw"]["tokens"] == 7168
    assert 0 < status["cursors"]["raw"]["epoch"] < 1.3
    assert status["notes"] == []
    assert 0 < status["tflops_causal"] < status["tflops"] < 1
    assert status["mfu"] is None  # on a CPU, whose peak is not known
    assert 0 < status["data_share"] < 1


def test_a_run_that_was_moved_and_one_whose_plan_is_gone(real_run: Path, tmp_path: Path) -> None:
    """Its config names folders of the old place; the index is nowhere."""
    moved = tmp_path / "moved"
    shutil.copytree(real_run, moved)
    text = (moved / "resolved.yaml").read_text().replace(str(real_run), "/nowhere")
    (moved / "resolved.yaml").write_text(text)
    here = status_of(moved)
    assert (here["total_steps"], here["notes"]) == (30, [])
    assert here["cursors"]["raw"]["epoch"] is not None
    shutil.rmtree(moved / "plan")
    gone = snowcoder("status", str(moved)).stdout
    assert "phase1, step 14 of 30" in gone
    assert "note: no plan: /nowhere/plan has no manifest.json: run `snowcoder plan` first" in gone
    assert "7,168" in gone


@pytest.mark.parametrize(
    ("words", "message"),
    [([], "is not a run"), (["xml"], "usage: snowcoder status RUN [json]; 'xml' is no form of it")],
)
def test_mistakes_are_one_message(tmp_path: Path, words: list[str], message: str) -> None:
    done = snowcoder("status", str(tmp_path), *words, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_training_is_no_running_one(make_run: MakeRun) -> None:
    run = make_run()
    run.events.add("started", "from initial weights")
    lock = run.folder / "train" / ".lock"
    lock.parent.mkdir(exist_ok=True)
    with locked(lock, lambda: UserError("busy")):
        assert "was killed" not in text_of(run.folder)
        left = json.loads(lock.read_text())
    lock.write_text(json.dumps({**left, "pid": 2**31}))  # as a killed one leaves it
    assert f"note: the training by process {2**31} on " in text_of(run.folder)
    lock.write_text(json.dumps({**left, "pid": 2**31, "host": "another, of which nothing is known here"}))
    assert "was killed" not in text_of(run.folder)
