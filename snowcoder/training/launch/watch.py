"""Watches ranks until they end, and says who failed, where, and in what."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections import deque
from typing import NamedTuple, Protocol

from snowcoder.config.schema import LaunchConfig
from snowcoder.errors import OperationError, Stopped, UserError
from snowcoder.training.rank.pulse import Beat, Listener, tell

_LOOK_SECONDS = 0.2
_SILENT_SECONDS = 10.0
_STALLED = 1.5  # times the time limit of a collective, which is expected to raise first


class RanksEnded(NamedTuple):
    """All ranks have ended, or one has failed, if `rank` says which."""

    code: int  # as subprocess has it: negative for a signal
    rank: int | None = None
    what: str = "a rank"


class Ranks(Protocol):
    def poll(self) -> RanksEnded | None: ...

    def forward(self, number: signal.Signals) -> None: ...


class RanksFailed(OperationError):
    """Ranks failed; `hosts` are those that a restart had better avoid."""

    def __init__(self, text: str, hosts: set[str] | None = None) -> None:
        super().__init__(text)
        self.hosts = hosts or set()


class NotStarted(RanksFailed):
    """No rank was ever heard of."""


class Narrator:
    """Prints what rank 0 is in until its first step is done, and later what it waits for, if that takes long."""

    def __init__(self) -> None:
        self.place = "starting"
        self.since = self.said = time.monotonic()
        self.first_step: int | None = None

    def look(self, beat: Beat | None, now: float) -> None:
        """`now` is of time.monotonic()."""
        place, step = (beat.place, beat.step) if beat else (self.place, None)
        if self.first_step is None:
            self.first_step = step
        if place != self.place:
            self.place, self.since, self.said = place, now, now
            if self.first_step in (None, step):
                self._say(place)
        elif now - self.said >= _SILENT_SECONDS and step in (None, self.first_step):
            self.said = now
            self._say(f"{place}, for {now - self.since:.0f} s")

    def _say(self, text: str) -> None:
        print(f"rank 0: {text}", flush=True)


def watch(ranks: Ranks, listener: Listener, inbox: deque[signal.Signals], config: LaunchConfig) -> None:
    """Return when all ranks are done, passing on to them the signals of `inbox`.

    Raises `RanksFailed` if they failed, `NotStarted` if none was heard of before; `UserError` if they refused to start;
    `Stopped` if they did as a signal said.
    """
    told: list[signal.Signals] = []
    narrator = Narrator()
    while (ended := ranks.poll()) is None:
        listener.listen()
        narrator.look(listener.beats.get(0), time.monotonic())
        _check_signs_of_life(listener, config)
        while inbox:
            _pass_on(ranks, inbox.popleft(), told)
        time.sleep(_LOOK_SECONDS)
    time.sleep(_LOOK_SECONDS)  # last words may be on their way
    listener.listen()
    _conclude(ended, listener)


def _check_signs_of_life(listener: Listener, config: LaunchConfig) -> None:
    silent = listener.silent(config.silent_seconds)
    if silent:
        raise RanksFailed(f"no sign of life: {tell(silent)}", _hosts(silent))
    still = time.monotonic() - listener.progress
    if still > _STALLED * config.timeout_minutes * 60:
        behind = listener.behind() or listener.beats
        raise RanksFailed(f"no rank has moved for {still / 60:.0f} min: {tell(behind) or 'none was ever heard of'}")


def _pass_on(ranks: Ranks, number: signal.Signals, told: list[signal.Signals]) -> None:
    if number in told and number == signal.SIGINT:
        raise KeyboardInterrupt  # Ctrl-C for the second time: at once
    told.append(number)
    what = "the ranks save at the end of this step or of the next, and stop"
    print(f"snowcoder: {number.name}: {what}", file=sys.stderr, flush=True)
    ranks.forward(number)


def _conclude(ended: RanksEnded, listener: Listener) -> None:
    if ended.code == 0:
        return
    if ended.code == UserError.exit_code:
        why = next((beat.why for beat in listener.first().values()), "see the message above")
        raise UserError(f"the ranks refused to start: {why}")
    if ended.code == Stopped.exit_code:
        raise Stopped("stopped by a signal, after saving. The same command goes on from there")
    culprits = _culprits(ended, listener)
    rank = next(iter(culprits), ended.rank)
    who = ended.what if ended.rank is None else f"rank {rank} on {socket.gethostname()}"
    how = f"was killed by signal {-ended.code}" if ended.code < 0 else f"failed with exit status {ended.code}"
    words = [beat.why for beat in culprits.values() if beat.why]
    if not listener.beats and ended.code > 0:
        raise NotStarted(f"no rank was ever heard of ({who} {how}): the lines above say why")
    told = "; ".join(filter(None, [f"{who} {how}", tell(culprits), *words]))
    raise RanksFailed(told, {host for beat in listener.beats.values() for host in beat.bad_hosts})


def _culprits(ended: RanksEnded, listener: Listener) -> dict[int, Beat]:
    if ended.rank is None:
        return listener.culprits()
    if ended.code < 0:
        return listener.only(ended.rank)
    return listener.first() or listener.only(ended.rank)  # others failed for its failing


def _hosts(ranks: dict[int, Beat]) -> set[str]:
    return {beat.host for beat in ranks.values()}
