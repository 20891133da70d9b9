"""A tracker in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from snowcoder.training.events import Events
from snowcoder.training.trackers.tracker import CLOSE_SECONDS, Tracker


class Sender:
    """A tracker in a thread. What it does not take is a warning, is kept, and is tried again."""

    keep = 100_000  # records that wait while a server is away; then the oldest are let go
    retry_seconds = 60.0
    close_seconds = CLOSE_SECONDS

    def __init__(self, name: str, opener: Callable[[], Tracker], events: Events) -> None:
        self.name, self._open, self._events = name, opener, events
        self._waiting: deque[Callable[[Tracker], None]] = deque(maxlen=self.keep)
        self._changed = threading.Condition()
        self._closing = False
        self._tracker: Tracker | None = None
        self._failing = False
        # A daemon: no rank waits at its end for a server that does not answer.
        self._thread = threading.Thread(target=self._work, name=f"snowcoder-{name}", daemon=True)
        self._thread.start()

    def log(self, scalars: dict[str, float], step: int) -> None:
        self._add(lambda tracker: tracker.log(scalars, step))

    def rewind(self, step: int) -> None:
        self._add(lambda tracker: tracker.rewind(step))

    def stop(self) -> None:
        """Send what waits, then end; does not wait for it."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self, deadline: float) -> None:
        """Wait for the end until `deadline` on the monotonic clock."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._waiting or self._thread.is_alive():
            self._warn(f"closed without {len(self._waiting)} records; metrics.jsonl has them all")

    def _add(self, item: Callable[[Tracker], None]) -> None:
        with self._changed:
            self._waiting.append(item)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._send():
                if self._closing and not self._waiting:
                    self._finish()
                    return
            elif self._closing:
                return
            else:
                self._pause()

    def _send(self) -> bool:
        """Whether all that waited was taken."""
        try:
            self._tracker = self._tracker or self._open()
            while self._waiting:
                item = self._waiting[0]
                item(self._tracker)
                with self._changed:
                    if self._waiting and self._waiting[0] is item:  # else it was let go meanwhile
                        self._waiting.popleft()
        except Exception as error:  # whatever a library throws
            if not self._failing:
                self._warn(f"takes no records ({_summary(error)}); training goes on, they wait")
            self._failing, self._tracker = True, None
            return False
        if self._failing:
            self._failing = False
            self._warn("takes records again")
        return True

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, self.retry_seconds)

    def _finish(self) -> None:
        try:
            if self._tracker is not None:
                self._tracker.close()
        except Exception as error:
            self._warn(f"did not close ({_summary(error)})")

    def _warn(self, text: str) -> None:
        self._events.add("warning", f"{self.name} {text}")


def _summary(error: Exception) -> str:
    """The first line of what a library says; an address in it may hold a password."""
    text = str(error).strip() or "no reason given"
    line = text.splitlines()[0][:200]
    return type(error).__name__ if "@" in line else f"{type(error).__name__}: {line}"
