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
from urllib.parse import urlsplit

import aiohttp
import openai
import orjson

from snowcoder.config.synthesis_schema import RequestsConfig
from snowcoder.errors import OperationError, UserError
from snowcoder.synthesis.requests.failure import Failure, classify
from snowcoder.synthesis.requests.log import AnswerLog
from snowcoder.synthesis.requests.pool import Pool
from snowcoder.synthesis.requests.request import Answer, Refused, Request, read_answer
from snowcoder.synthesis.requests.server import Server

_LONGEST = 30.0  # seconds before a request is tried again


class Client:
    def __init__(self, config: RequestsConfig, urls: list[str], key: str | None) -> None:
        self.config, self.key = config, key
        self.pool = Pool([Server(url, key or "none", config.concurrency) for url in urls])
        self._last_answer = time.monotonic()

    async def ask(self, request: Request, log: AnswerLog) -> Answer:
        """The answer, from the log if it has one; it is in the log before this returns.

        Raises Refused where there is none, OperationError or UserError where no request would get one.
        """
        known = log.known.get(request.key)
        if known is None:
            await log.append(await self._ask_servers(request, log))
            known = log.known[request.key]
        if "refused" in known:
            raise Refused(known["refused"])
        return read_answer(known["answer"])

    async def _ask_servers(self, request: Request, log: AnswerLog) -> dict[str, object]:
        """The record of the answer, or of why there is none."""
        tries = blamed = 0
        while True:
            server = await self.pool.take()
            if not tries:
                log.note({"ask": request.key, "body": request.body})
            tries, sent_at = tries + 1, time.monotonic()
            with self.pool.giving_back(server):
                outcome = await self._try(server, request)
                if not isinstance(outcome, Failure):
                    server.answered(sent_at)
                    self._last_answer = time.monotonic()
                    return {"key": request.key, "answer": outcome, "server": server.url}
                if outcome.overload:
                    server.failed(sent_at, outcome.wait)
            log.note({"failed": outcome.kind, "key": request.key, "server": server.url, "detail": outcome.detail})
            self._give_up(server, outcome)
            blamed += outcome.blame == "request"
            if outcome.blame == "refused" or blamed >= self.config.attempts:
                return {"key": request.key, "refused": f"{outcome.kind} {outcome.detail}".strip()}
            if outcome.blame == "request":
                await asyncio.sleep(random.uniform(0.5, 1) * min(_LONGEST, 0.5 * 2**blamed))

    async def _try(self, server: Server, request: Request) -> object:
        try:
            async with asyncio.timeout(self.config.deadline_seconds):
                raw = await server.post(request.body)
            read_answer(raw)
            orjson.dumps(raw)  # the log could not keep half a surrogate pair, say
        except (openai.OpenAIError, aiohttp.ClientError, TimeoutError, ValueError, orjson.JSONEncodeError) as error:
            return classify(error)
        return raw

    def _give_up(self, server: Server, failure: Failure) -> None:
        what = f"{server.url}: {failure.kind}" + (f": {failure.detail}" if failure.detail else "")
        if self.key:
            what = what.replace(self.key, "[API key]")
        if failure.blame == "stage":
            raise UserError(f"{what}. What was answered stays; set it right and run the same command again")
        minutes = (time.monotonic() - self._last_answer) / 60
        if failure.blame != "refused" and minutes > self.config.patience_minutes:
            raise OperationError(
                f"no server has answered for {minutes:.1f} minutes (synthesis.requests.patience_minutes), the last one "
                f"tried is {what}. What was answered stays; run the same command again when they are up"
            )


@asynccontextmanager
async def open_client(config: RequestsConfig) -> AsyncIterator[Client]:
    """Raises UserError where no server is named, or one in a way that would write a password down."""
    client = Client(config, _urls(config), os.environ.get(config.key) or None)
    gc.freeze()  # what is there now stays: with it, the garbage collector takes a tenth of a request's time
    try:
        yield client
    finally:
        gc.unfreeze()
        for server in client.pool.servers:
            await server.close()


def _urls(config: RequestsConfig) -> list[str]:
    urls = list(config.servers)
    if config.servers_file:
        try:
            urls += Path(config.servers_file).read_text().split()
        except OSError as error:
            raise UserError(f"synthesis.requests.servers_file={config.servers_file}: {error.strerror}") from None
    if not urls:
        raise UserError("no server is named: set synthesis.requests.servers=[http://host:8000/v1], or .servers_file")
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
