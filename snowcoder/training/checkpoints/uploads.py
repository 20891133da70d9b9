"""Which checkpoint is on its way to the bucket. For rank 0; a process of its own carries it there (upload.py).

A process, not a thread: it takes no time from the step, and no lock that a forked writer of a checkpoint might need.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from snowcoder.config.frozen import to_yaml
from snowcoder.config.schema import Config
from snowcoder.training.checkpoints.completion_record import complete_steps
from snowcoder.training.events import Events
from snowcoder.training.rank.pulse import doing


class Uploads:
    """One at a time, the newest first. What fails is tried again when the next checkpoint is complete."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.step: int | None = None  # the one on its way: it must stay
        self._process: subprocess.Popen[bytes] | None = None
        self._done: set[int] = set()
        self._failed: set[int] = set()
        self._idle = config.checkpoint.upload is None  # nothing to do until the next checkpoint

    def add(self, step: int) -> None:
        """A new checkpoint is complete."""
        self._done.discard(step)  # it may have been there before, with another past
        self._failed.clear()
        self._idle = self.config.checkpoint.upload is None

    def poll(self) -> None:
        """Start the next one if none is on its way."""
        if self._process is not None and self._process.poll() is not None and self.step is not None:
            (self._failed if self._process.returncode else self._done).add(self.step)
            self._process = self.step = None
        if self._process is None and not self._idle:
            self._start_next()

    def finish(self, seconds: float) -> None:
        """Until all are there or have failed, at most so long."""
        deadline = time.monotonic() + seconds
        self.poll()
        while self._process is not None:
            doing(f"waiting for the upload of step {self.step}")
            if time.monotonic() > deadline:
                self._give_up(seconds)
                return
            time.sleep(0.05)
            self.poll()

    def _start_next(self) -> None:
        there = self._done | self._failed
        step = next((step for step in reversed(complete_steps(self.folder)) if step not in there), None)
        if step is None:
            self._idle = True
            return
        command = [sys.executable, "-m", "snowcoder.training.checkpoints.upload", str(step)]
        self._process, self.step = subprocess.Popen(command, stdin=subprocess.PIPE), step
        assert self._process.stdin
        try:
            self._process.stdin.write(to_yaml(self.config).encode())
            self._process.stdin.close()
        except BrokenPipeError:  # it ended before it read: `poll` sees how
            pass

    def _give_up(self, seconds: float) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()
        text = (
            f"the upload of step {self.step} to {self.config.checkpoint.upload} is not done after {seconds:.0f} s and "
            "was given up; the same command goes on with it"
        )
        print(f"snowcoder: warning: {text}", flush=True)
        Events(self.config).add("warning", text, self.step)
