"""Signals that ask a run to stop. They are blocked, and looked for where it can stop.

Blocked, not handled: a mask is inherited by the processes that write a checkpoint, a handler is not. Slurm sends
SIGTERM to all processes of a job, and one that died of it would take the last checkpoint with it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# SIGUSR1: Slurm's warning before the time limit. SIGTERM: scancel, requeue and preemption. SIGINT: Ctrl-C.
STOP = {signal.SIGUSR1, signal.SIGTERM, signal.SIGINT}


def hold() -> None:
    """From now on the signals of `STOP` wait for `received`. To be called before any thread or process starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)


@contextmanager
def held() -> Iterator[None]:
    """As `hold`, for as long as the context lasts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def received(seconds: float = 0.0) -> signal.Signals | None:
    """The next of the signals that have come, waiting for one at most so long."""
    found = signal.sigtimedwait(STOP, seconds)
    return signal.Signals(found.si_signo) if found else None
