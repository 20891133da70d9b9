"""Signs of life: each rank tells the launcher what it is doing, once a second, in a datagram.

Not in files, which a node that is cut off may still write; and not over a connection, which may break.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

ADDRESS = "SNOWCODER_PULSE"  # host:port/token
_BEAT_SECONDS = 1.0

_now: dict[str, Any] = {"doing": "starting", "step": None}


def doing(what: str, step: int | None = None) -> None:
    """Say what this rank is in, for the log if it is never heard of again. `step` counts from 0."""
    _now.update(doing=what, step=step)


def here() -> str:
    """What this rank is in, as text."""
    return _describe(_now["doing"], _now["step"])


def _describe(what: str, step: int | None) -> str:
    return what if step is None else f"step {step + 1}: {what}"


class Pulse:
    """The rank's side."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        address, _, self.token = os.environ.get(ADDRESS, "").partition("/")
        host, _, port = address.rpartition(":")
        self.to = (host, int(port)) if port else None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if self.to:
            threading.Thread(target=self._beat, daemon=True).start()

    @property
    def is_local(self) -> bool:
        """Whether the launcher is on this machine, where no datagram is lost on its way."""
        return self.to is not None and self.to[0] == "127.0.0.1"

    def end(self, why: str = "", bad_hosts: list[str] | None = None) -> None:
        """Say that this rank ends, well or why not, and which hosts it found to be bad."""
        self._send(ended=True, why=why[:2000], bad_hosts=bad_hosts or [])

    def _beat(self) -> None:
        while True:
            self._send()
            time.sleep(_BEAT_SECONDS)

    def _send(self, **more: Any) -> None:
        beat = {"token": self.token, "rank": self.rank, "host": socket.gethostname(), **_now, **more}
        try:
            if self.to:
                self.socket.sendto(json.dumps(beat).encode()[:8192], self.to)
        except OSError:
            return  # the launcher draws its conclusion from silence


class Beat(NamedTuple):
    """The last that was heard of a rank."""

    time: float  # time.monotonic()
    host: str
    place: str  # what it was in
    ended: bool = False  # by its own word, not only by silence
    why: str = ""  # empty if well
    bad_hosts: tuple[str, ...] = ()
    step: int | None = None  # where it is in one


class Listener:
    """The launcher's side: who was heard of when."""

    def __init__(self, host: str, bind: str) -> None:
        self.token = secrets.token_hex(8)  # others on the network may send datagrams too
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((bind, 0))
        self.socket.setblocking(False)
        self.address = f"{host}:{self.socket.getsockname()[1]}/{self.token}"
        self.beats: dict[int, Beat] = {}
        self.started = self.progress = time.monotonic()

    def listen(self) -> None:
        """Take in all that has come."""
        while True:
            try:
                data = self.socket.recv(8192)
            except BlockingIOError:
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            beat = json.loads(data)
            rank, now, token = int(beat["rank"]), time.monotonic(), beat["token"]
            end = (bool(beat.get("ended")), str(beat.get("why", "")), tuple(beat.get("bad_hosts", ())))
            new = Beat(now, beat["host"], _describe(beat["doing"], beat["step"]), *end, beat["step"])
        except (ValueError, KeyError, TypeError):
            return
        if not secrets.compare_digest(str(token).encode(), self.token.encode()):
            return
        old = self.beats.get(rank)
        if old is None or old.place != new.place:
            self.progress = now
        if old is None or not old.ended:  # after its last word there may come a beat that was on its way
            self.beats[rank] = new

    def silent(self, seconds: float) -> dict[int, Beat]:
        """Ranks that were heard of once, but not for so long, and did not say that they end."""
        now = time.monotonic()
        return {r: b for r, b in sorted(self.beats.items()) if not b.ended and now - b.time > seconds}

    def only(self, rank: int) -> dict[int, Beat]:
        return {rank: self.beats[rank]} if rank in self.beats else {}

    def culprits(self) -> dict[int, Beat]:
        """Now that all ranks have ended: those that did without a word; else the first that said why."""
        wordless = {rank: beat for rank, beat in sorted(self.beats.items()) if not beat.ended}
        return wordless or self.first()

    def first(self) -> dict[int, Beat]:
        """The first that said why it ends."""
        told = sorted((beat.time, rank) for rank, beat in self.beats.items() if beat.why)
        return {rank: self.beats[rank] for _, rank in told[:1]}

    def behind(self) -> dict[int, Beat]:
        """Ranks that are not where most are: the ones that the others wait for."""
        places = Counter(beat.place for beat in self.beats.values())
        if len(places) < 2:
            return {}
        most = places.most_common(1)[0][0]
        return {rank: beat for rank, beat in sorted(self.beats.items()) if beat.place != most}


def tell(ranks: dict[int, Beat]) -> str:
    """Host, rank, step and what it was in, of each."""
    now = time.monotonic()
    return "; ".join(
        f"rank {rank} on {beat.host}, last heard of {now - beat.time:.0f} s ago in {beat.place}"
        for rank, beat in ranks.items()
    )
