"""Several servers as one: a request goes to the one with the most room, or waits until one has some."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from snowcoder.synthesis.requests.server import Server


class Pool:
    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    async def take(self) -> Server:
        """A server with room for a request, which must be given back. Who waits longest comes first."""
        while (server := self._best()) is None:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            self._set_alarm()
            await turn
        server.taken()
        return server

    @contextmanager
    def giving_back(self, server: Server) -> Iterator[None]:
        try:
            yield
        finally:
            server.in_flight -= 1
            self._call_waiting()

    def _best(self) -> Server | None:
        best = max(self.servers, key=lambda server: server.room)
        return best if best.room > 0 else None

    def _call_waiting(self) -> None:
        for _ in range(sum(max(0, server.room) for server in self.servers)):
            while self._waiting and self._waiting[0].done():
                self._waiting.popleft()
            if not self._waiting:
                return
            self._waiting.popleft().set_result(None)
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Look again when a server has rested: perhaps no request is under way that would end and say so."""
        now = time.monotonic()
        rests = [server.rests_until - now for server in self.servers if server.rests_until > now]
        if not rests:
            return
        if self._alarm:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(min(rests) + 0.001, self._call_waiting)
