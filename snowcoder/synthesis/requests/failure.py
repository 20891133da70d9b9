"""What became of a request that got no answer, and who is to blame: that decides what is done next."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Iterator
from typing import Literal, NamedTuple

import aiohttp
import openai

_BUSY = (429, 503)
_LATE = "no answer in time"
_AGAIN = (408, 409, 425)
_STOP = {401: "the API key is wrong", 403: "the API key may not do that", 404: "no such model or address"}


class Failure(NamedTuple):
    kind: str
    # server: the request waits until it is well; request: it may be what fails, and is not asked for ever;
    # refused: asking again would not help; stage: nothing would get an answer
    blame: Literal["server", "request", "refused", "stage"]
    detail: str = ""
    wait: float = 0.0  # seconds the server wants to be left alone

    @property
    def overload(self) -> bool:
        """Whether the server had better get less. An error or half an answer says nothing of its load."""
        return self.blame == "server" or self.kind == _LATE


def classify(error: Exception) -> Failure:
    """Of what `openai` raises, a deadline that passed (TimeoutError), or an answer that is none (ValueError)."""
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if any(isinstance(each, aiohttp.ClientConnectorError) for each in _chain(error)):
        return Failure("no connection", "server", str(error.__cause__ or error))
    if any(isinstance(each, aiohttp.ServerDisconnectedError) for each in _chain(error)):
        return Failure("cut off", "request", str(error.__cause__ or error))
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return Failure(_LATE, "request")
    if isinstance(error, openai.APIConnectionError):
        return Failure("cut off", "request", str(error.__cause__ or error))
    return Failure("garbage", "request", str(error))


def _of_status(error: openai.APIStatusError) -> Failure:
    status, detail = error.status_code, _message(error)
    if status == 429 and error.code == "insufficient_quota":
        return Failure("no quota left", "stage", detail)
    if status in _BUSY:
        return Failure("busy" if status == 503 else "too many requests", "server", detail, retry_after(error))
    if status in _STOP:
        return Failure(f"{_STOP[status]} (status {status})", "stage", detail)
    if status >= 500 or status in _AGAIN:
        return Failure(f"status {status}", "request", detail)
    return Failure(f"status {status}", "refused", detail)


def retry_after(error: openai.APIStatusError) -> float:
    """Seconds, by the headers of OpenAI (milliseconds) and of HTTP (seconds or a date); 0 where there is none."""
    headers = error.response.headers
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        text = headers.get("retry-after", "0")
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _message(error: openai.APIStatusError) -> str:
    """What the server says of it, on one line."""
    body = error.body
    if isinstance(body, dict):
        body = body.get("message") or json.dumps(body)
    return " ".join(str(body or error.message).split())[:300]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
