"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

# SIGUSR1: Slurm's warning before the time limit. SIGTERM: scancel, requeue and preemption. SIGINT: Ctrl-C.
STOP = {signal.SIGUSR1, signal.SIGTERM, signal.SIGINT}


_received: deque[signal.Signals] = deque()


def hold() -> None:
    """For a rank and its helpers: from now on the signals of `STOP` wait for `received`. Call it before threads start.

    They are blocked, for a mask is inherited by the processes that write a checkpoint: Slurm sends SIGTERM to all
    processes of a job, and a writer that died of it would take the last checkpoint with it. They are handled too, for
    multiprocessing's resource tracker unblocks SIGTERM and SIGINT when it starts.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    for number in STOP:
        signal.signal(number, lambda n, _: _received.append(signal.Signals(n)))


def received() -> signal.Signals | None:
    """For a rank: one of the signals that have come."""
    if _received:
        return _received.popleft()
    found = signal.sigtimedwait(STOP, 0.0)
    return signal.Signals(found.si_signo) if found else None


@contextmanager
def blocked() -> Iterator[None]:
    """Processes that are started here do not get the signals of `STOP`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def caught() -> Iterator[deque[signal.Signals]]:
    """For a launcher, whose libraries may have threads already: the signals that come, in their order."""
    inbox: deque[signal.Signals] = deque()
    before = {number: signal.signal(number, lambda n, _: inbox.append(signal.Signals(n))) for number in STOP}
    try:
        yield inbox
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
