"""Asks servers, again where that may help, and keeps every answer."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import openai

from snowcoder.answers import Answer, Failure, NoAnswer, classify, read_chat
from snowcoder.answers.read import usage_of
from snowcoder.config.synthesis_schema import RequestsConfig
from snowcoder.errors import OperationError, UserError
from snowcoder.synthesis.requests.log import LEFT, AnswerLog
from snowcoder.synthesis.requests.pool import Pool
from snowcoder.synthesis.requests.request import Refused, Request
from snowcoder.synthesis.requests.server import Server

_LONGEST = 30.0  # seconds before a request is tried again
_NOBODY = "no server is named: set synthesis.requests.servers=[http://host:8000/v1], or .servers_file"
_STAYS = "What was answered stays, nothing else is written off; set it right and run the same command again"


class Unanswered(Refused):
    """A server left the request without an answer."""

    def __init__(self, failure: Failure, server: Server) -> None:
        super().__init__(failure.kind, failure.detail)
        self.left = Left(failure, server, time.monotonic())


class Left(NamedTuple):
    failure: Failure
    server: Server
    at: float  # time.monotonic()

    @property
    def is_settled(self) -> bool:
        """Whether the next run need not ask again: the server refused it, and answered others that were sent later."""
        return self.failure.blame == "refused" and self.server.last_answered > self.at


class Client:
    def __init__(self, config: RequestsConfig, urls: list[str], key: str | None) -> None:
        self.config, self.key = config, key
        self.pool = Pool([Server(url, key or "none", config.concurrency) for url in urls])
        self._last_answer = time.monotonic()

    async def ask(self, request: Request, log: AnswerLog) -> Answer:
        """The answer, from the log if it has one; it is in the log before this returns.

        Raises Unanswered where there is none, OperationError or UserError where no request would get one.
        """
        try:  # an earlier version kept what is no answer, too
            return read_chat(log.answers[request.key])
        except (KeyError, NoAnswer):
            return await self._ask_servers(request, log)

    async def _ask_servers(self, request: Request, log: AnswerLog) -> Answer:
        tries = blamed = 0
        while True:
            server = await self.pool.take()
            if not tries:
                log.note({"ask": request.key, "body": request.body})
            tries, sent_at = tries + 1, time.monotonic()
            with self.pool.giving_back(server):
                outcome, raw = await self._try(server, request)
                if not isinstance(outcome, Failure):
                    server.answered(sent_at)
                    self._last_answer = time.monotonic()
                elif outcome.overload:
                    server.failed(sent_at, outcome.wait)
            if not isinstance(outcome, Failure):
                left = {LEFT: names} if (names := server.sampling.left(request.body)) else {}
                await log.append({"key": request.key, "answer": raw, "server": server.url, **left})
                return outcome
            failed = {"failed": outcome.kind, "key": request.key, "server": server.url, "detail": outcome.detail}
            log.note(failed if raw is None else {**failed, "usage": usage_of(raw)})
            self._give_up(server, outcome)
            blamed += outcome.blame == "request"
            if outcome.blame == "refused" or blamed >= self.config.attempts:
                unanswered = Unanswered(outcome, server)
                self._blame(server, outcome)
                await log.append({"key": request.key, "refused": outcome.kind, "detail": outcome.detail})
                raise unanswered
            if outcome.blame == "request":
                await asyncio.sleep(random.uniform(0.5, 1) * min(_LONGEST, 0.5 * 2**blamed))

    async def _try(self, server: Server, request: Request) -> tuple[Answer | Failure, Any]:
        """With what the server said."""
        raw = None
        try:
            async with asyncio.timeout(self.config.deadline_seconds):
                raw = await server.post(request.body)
            return read_chat(raw), raw
        except (openai.OpenAIError, aiohttp.ClientError, TimeoutError, NoAnswer) as error:
            return classify(error), raw

    def _give_up(self, server: Server, failure: Failure) -> None:
        """Where no request would get an answer."""
        if failure.blame == "stage":
            raise UserError(f"{self.said(server, failure)}. {_STAYS}")
        minutes = (time.monotonic() - self._last_answer) / 60
        if failure.blame != "refused" and minutes > self.config.patience_minutes:
            raise OperationError(
                f"no server has answered for {minutes:.1f} minutes (synthesis.requests.patience_minutes), the last one "
                f"tried is {self.said(server, failure)}. {_STAYS}"
            )

    def _blame(self, server: Server, failure: Failure) -> None:
        """Where a server leaves too many requests without an answer, alike, it is not the request."""
        if not server.left_without(failure.kind):
            return
        asked_wrongly = failure.blame == "refused" and failure.kind.startswith("status")
        so_far = "after others" if server.last_answered else "all so far"
        raise (UserError if asked_wrongly else OperationError)(
            f"{self.said(server, failure)} ({server.alike} requests one after the other, {so_far}: "
            f"it is the server, or how it is asked). {_STAYS}"
        )

    def said(self, server: Server, failure: Failure) -> str:
        text = f"{server.url}: {failure}"
        return text.replace(self.key, "[API key]") if self.key else text


@asynccontextmanager
async def open_client(config: RequestsConfig) -> AsyncIterator[Client]:
    """Raises UserError as `server_urls` does."""
    client = Client(config, server_urls(config), os.environ.get(config.key) or None)
    gc.freeze()  # what is there now stays: with it, the garbage collector takes a tenth of a request's time
    try:
        yield client
    finally:
        gc.unfreeze()
        for server in client.pool.servers:
            await server.close()


def server_urls(config: RequestsConfig) -> list[str]:
    """Raises UserError where no server is named, or one in a way that would write a password down."""
    urls = list(config.servers)
    if config.servers_file:
        try:
            urls += Path(config.servers_file).read_text().split()
        except OSError as error:
            raise UserError(f"synthesis.requests.servers_file={config.servers_file}: {error.strerror}") from None
    if not urls:
        raise UserError(_NOBODY)
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"synthesis.requests.servers: {url!r} is no http address")
        if parts.username or parts.password or parts.query:
            raise UserError(
                f"synthesis.requests.servers: {parts.hostname} is given with a password or a query, which would be "
                "written into logs; API keys come from the environment (synthesis.requests.key)"
            )
    return list(dict.fromkeys(url.rstrip("/") for url in urls))
