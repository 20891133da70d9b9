"""events.log: what a person can read, a hook is told, and no fault of either reaches the run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.training import events
from snowcoder.training.events import Events, read_events
from tests.tiny import tiny_overrides


def config_of(folder: Path, command: str | None = None) -> Config:
    """Its hook is told of the recipe's events, and of no other."""
    hook = [] if command is None else [f"notify.command={json.dumps(command)}"]
    return load_config(tiny_overrides(folder, *hook))


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    log = Events(config_of(tmp_path))
    log.add("started", "from initial weights")
    log.add("failed", "rank 1 on node2:\n  it is   gone", 40)
    first, second = read_events(tmp_path)
    assert (first.kind, first.step, first.text) == ("started", None, "from initial weights")
    assert (second.kind, second.step, second.text) == ("failed", 40, "rank 1 on node2: it is gone")
    assert abs((datetime.now(UTC) - first.time).total_seconds()) < 10
    assert first.host


def test_a_person_can_read_it(tmp_path: Path) -> None:
    Events(config_of(tmp_path)).add("requeued", "rank 1 on node2 was silent for 60 s", 40)
    line = (tmp_path / "events.log").read_text()
    assert line.startswith(f"{datetime.now(UTC):%Y-%m-%d}T")
    assert "  requeued     step 40 " in line
    assert line.endswith(" rank 1 on node2 was silent for 60 s\n")


def test_the_hook_gets_the_event_in_its_environment(tmp_path: Path) -> None:
    """As environment and not as words of a command: a text with quotes and $( ) is not run."""
    command = f"env | grep ^SNOWCODER_ > {tmp_path}/$SNOWCODER_EVENT"
    log = Events(config_of(tmp_path / "run", command))
    log.add("failed", "rank 3's $(touch /tmp/never)", 12)
    log.add("gave-up", "4 restarts")
    log.add("checkpoint", "not worth a message", 12)
    told = sorted((tmp_path / "failed").read_text().splitlines())
    assert told == [
        "SNOWCODER_EVENT=failed",
        f"SNOWCODER_RUN={tmp_path}/run",
        "SNOWCODER_STEP=12",
        "SNOWCODER_TEXT=rank 3's $(touch /tmp/never)",
    ]
    assert "SNOWCODER_STEP=\n" in (tmp_path / "gave-up").read_text()
    assert not (tmp_path / "checkpoint").exists()
    assert [event.kind for event in read_events(tmp_path / "run")] == ["failed", "gave-up", "checkpoint"]


def test_a_hook_that_fails_is_a_warning(tmp_path: Path) -> None:
    Events(config_of(tmp_path, "exit 3")).add("failed", "rank 1", 12)
    _, warning = read_events(tmp_path)
    assert (warning.kind, warning.step) == ("warning", 12)
    assert warning.text == "notify.command failed for 'failed': exit status 3"


def test_a_hook_that_hangs_is_a_warning_even_if_it_left_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_HOOK_SECONDS", 0.5)
    started = time.monotonic()
    Events(config_of(tmp_path, "sleep 20 & sleep 20; true")).add("failed", "rank 1")
    assert time.monotonic() - started < 10
    assert read_events(tmp_path)[-1].text == "notify.command failed for 'failed': no end after 0.5 s"


WRITER = """
import sys, time
from pathlib import Path
from snowcoder.config.compose import load_config
from snowcoder.training.events import Events
letter, gate, *overrides = sys.argv[1:]
log = Events(load_config(overrides))
Path(gate, letter).touch()
while len(list(Path(gate).iterdir())) < 2:
    time.sleep(0.001)
for number in range(1000):
    log.add("warning", letter * 2000, number)
"""


def test_lines_of_two_writers_do_not_mix(tmp_path: Path) -> None:
    """They begin together."""
    (tmp_path / "gate").mkdir()
    overrides = tiny_overrides(tmp_path / "run")
    command = [sys.executable, "-c", WRITER]
    writers = [subprocess.Popen([*command, letter, str(tmp_path / "gate"), *overrides]) for letter in ("a", "b")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    found = read_events(tmp_path / "run")
    for letter in ("a", "b"):
        assert [event.step for event in found if event.text == letter * 2000] == list(range(1000))
    assert len(found) == 2000


def append(folder: Path, data: bytes) -> None:
    with (folder / "events.log").open("ab") as file:
        file.write(data)


@pytest.mark.parametrize("cut", [b"2026-11-23T03:41:00Z  fai", b"2026-11-23T03:41:00Z  failed       step 4"])
def test_a_line_cut_short_is_passed_over(tmp_path: Path, cut: bytes) -> None:
    Events(config_of(tmp_path)).add("started", "from initial weights")
    append(tmp_path, cut)
    assert [event.kind for event in read_events(tmp_path)] == ["started"]


def test_a_line_cut_inside_a_letter_hides_no_other(tmp_path: Path) -> None:
    Events(config_of(tmp_path)).add("started", "from initial weights")
    append(tmp_path, "2026-11-23T03:41:00Z  failed       step 4        node1      \u00e4".encode()[:-1])
    assert read_events(tmp_path)[0].kind == "started"


def test_a_run_without_events_has_none(tmp_path: Path) -> None:
    assert read_events(tmp_path) == []


def test_a_full_disk_does_not_stop_a_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "events.log").symlink_to("/dev/full")
    Events(config_of(tmp_path)).add("failed", "rank 1 on node2")
    said = capfd.readouterr().err
    assert "No space left on device" in said
    assert "rank 1 on node2" in said
