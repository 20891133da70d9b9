"""A server and how many requests it gets at once: as TCP finds its rate, the limit grows until it is too much.

It doubles with every round of answers until the first failure, then grows by one a round; a failure halves it, once
for all requests that were under way together (AIMD, with slow start).
"""

from __future__ import annotations

import time
from typing import Any

import openai

from snowcoder.answers import Sampling, classify
from snowcoder.answers.read import read_json

_FIRST = 16  # requests, before a server has said anything
# Requests one after the other that the server left without an answer, alike: of one that has never answered, and else.
# Then it is the server. (Where it would not take every other request, 16 in a row come once in 65,536.)
_ALIKE_AT_FIRST, _ALIKE = 16, 64
_LONGEST = 60.0  # seconds that a server is left alone, whatever it asks for: then it is seen whether patience ends


class Server:
    def __init__(self, url: str, key: str, most: int) -> None:
        self.url, self.most = url, most
        self._address = f"{url}/chat/completions"  # whole: openai takes long to put its parts together
        # openai's own retries know neither of other servers nor of the log; aiohttp takes half of httpx's time.
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=key,
            max_retries=0,
            timeout=None,
            http_client=openai.DefaultAioHttpClient(timeout=None),
        )
        self.sampling = Sampling()
        self.limit = float(min(_FIRST, most))
        self.in_flight = 0
        self.rests_until = 0.0
        self._full_at = 0.0
        self._grows_fast = True
        self._cut_at = 0.0
        self._failures = 0  # one after the other
        self.last_answered = 0.0  # when the newest request that it answered was sent; 0: it has answered none
        self._without = ""  # the kind of failure that has left requests without an answer since the last one
        self.alike = 0  # how many

    @property
    def room(self) -> int:
        """How many more requests it can get now."""
        return 0 if time.monotonic() < self.rests_until else int(self.limit) - self.in_flight

    async def post(self, body: dict[str, Any]) -> Any:
        """What it says, as JSON has it: openai's own types let pass what is no answer. Raises NoAnswer for no JSON."""
        while True:
            sent = self.sampling.told(body)
            try:
                return read_json(await self._client.post(self._address, body=sent, cast_to=bytes))
            except openai.APIStatusError as error:
                if not self.sampling.refuses(classify(error), sent):
                    raise

    def taken(self) -> None:
        """One request more is under way."""
        self.in_flight += 1
        if self.in_flight >= int(self.limit):
            self._full_at = time.monotonic()

    def answered(self, sent_at: float) -> None:
        """A request sent at `sent_at` (monotonic) was. Where there was always room, the limit held nothing back."""
        self._failures = self.alike = 0
        self.last_answered = max(self.last_answered, sent_at)
        if self._full_at >= sent_at:
            self.limit = min(self.most, self.limit + (1.0 if self._grows_fast else 1.0 / self.limit))

    def failed(self, sent_at: float, wait: float) -> None:
        """A request sent at `sent_at` failed; the server asks for `wait` seconds of rest, if it says so."""
        now, wait = time.monotonic(), min(_LONGEST, wait)
        if sent_at < self._cut_at:
            self.rests_until = max(self.rests_until, now + wait)
            return
        self._failures += 1
        self._cut_at, self._grows_fast = now, False
        self.limit = max(1.0, self.limit / 2)
        pause = min(_LONGEST, 0.25 * 2**self._failures) if self._failures > 1 else 0.0
        self.rests_until = max(self.rests_until, now + max(wait, pause))

    def left_without(self, kind: str) -> bool:
        """A request gets no answer for a failure of this kind. Whether that is the server's doing, by how many did."""
        self.alike = self.alike + 1 if kind == self._without else 1
        self._without = kind
        return self.alike >= (_ALIKE if self.last_answered else _ALIKE_AT_FIRST)

    async def close(self) -> None:
        await self._client.close()
