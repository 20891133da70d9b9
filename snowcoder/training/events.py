"""`events.log` of a run: what happened to it besides steps, one line each, for people and for `snowcoder status`.

2026-11-23T03:41:00Z  requeued     step 40     node1    rank 1 on node2 was silent for 60 s ...
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from snowcoder.config.schema import Config
from snowcoder.lineage.run_folder import RunFolder

# What may be in the second column, and what it means.
KINDS = {
    "started": "a training began, from which checkpoint",
    "passed-over": "a checkpoint is not valid, and why",
    "checkpoint": "a checkpoint is complete",
    "uploaded": "a checkpoint is complete in the bucket",
    "evaluating": "a job of its own exports a checkpoint and evaluates it",
    "evaluated": "the scores of a checkpoint",
    "warning": "something failed that the run can do without",
    "skipped": "a step with a non-finite loss or gradient did not reach the weights",
    "rolled-back": "the run went back to a checkpoint and passes over a window of samples",
    "stopped": "the run saved and stopped, as it was told by a signal",
    "failed": "ranks ended by a fault: host, rank, step, and what it was in",
    "requeued": "the job was given back to Slurm, to go on later",
    "gave-up": "too many restarts without a new checkpoint: a person must look",
    "ended": "the last step of the run's phases is done",
}
# What the last of these says of a run.
TURNS = {
    "started": "running",
    "stopped": "stopped",
    "failed": "failed",
    "gave-up": "gave up",
    "requeued": "waiting to go on",
    "ended": "finished",
}
_LINE = re.compile(r"(\S+)  (\S+) +step (\d+|-) +(\S+) +(.*)")
_HOOK_SECONDS = 10


class Event(NamedTuple):
    time: datetime
    kind: str
    step: int | None
    host: str
    text: str


class Events:
    """Appends to a run's events.log, and tells the hook of the config."""

    def __init__(self, config: Config) -> None:
        self.folder, self.path = Path(config.run.dir), RunFolder.of(config).events
        self.notify = config.notify

    def add(self, kind: str, text: str, step: int | None = None) -> None:
        """Record one event; a line in a single write, so that writers do not mix."""
        assert kind in KINDS, kind
        self._write(kind, text, step)
        if self.notify.command and kind in self.notify.events:
            self._call_hook(self.notify.command, kind, text, step)

    def _write(self, kind: str, text: str, step: int | None) -> None:
        event = Event(datetime.now(UTC), kind, step, socket.gethostname(), " ".join(text.split()))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(format_event(event) + "\n")
        except OSError as error:  # a full disk must not stop a run that can go on
            print(f"cannot write {self.path} ({error.strerror}): {event.kind}, {event.text}", file=sys.stderr)

    def _call_hook(self, command: str, kind: str, text: str, step: int | None) -> None:
        """A hook that fails is a warning: no run stops for want of a message."""
        about = {"EVENT": kind, "TEXT": text, "STEP": "" if step is None else str(step), "RUN": str(self.folder)}
        environment = {**os.environ, **{f"SNOWCODER_{name}": value for name, value in about.items()}}
        try:
            # Its output is not kept: a pipe would be waited for as long as anything that it started holds it.
            null = subprocess.DEVNULL
            done = subprocess.run(command, shell=True, env=environment, timeout=_HOOK_SECONDS, stdout=null, stderr=null)
            problem = f"exit status {done.returncode}" if done.returncode else None
        except subprocess.TimeoutExpired:
            problem = f"no end after {_HOOK_SECONDS} s"
        if problem:
            self._write("warning", f"notify.command failed for {kind!r}: {problem}", step)


def format_event(event: Event) -> str:
    step = "-" if event.step is None else str(event.step)
    return f"{event.time:%Y-%m-%dT%H:%M:%SZ}  {event.kind:<12} step {step:<8} {event.host:<10} {event.text}"


def read_events(run: Path) -> list[Event]:
    """All events of a run, oldest first; a line cut short by a full disk or a kill is passed over."""
    try:
        lines = RunFolder(run).events.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [_parse(*match.groups()) for line in lines if (match := _LINE.fullmatch(line))]


def last_turn(run: Path) -> Event | None:
    return next((event for event in reversed(read_events(run)) if event.kind in TURNS), None)


def _parse(time: str, kind: str, step: str, host: str, text: str) -> Event:
    return Event(datetime.fromisoformat(time), kind, None if step == "-" else int(step), host, text)
