"""What became of a request that got no answer, and who is to blame: that decides what is done next."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import openai

_BUSY = (429, 503)
_LATE = "no answer in time"
_AGAIN = (408, 409, 425)
_NO_QUOTA = "insufficient_quota"
_STOP = {
    401: "the API key is wrong",
    402: "nothing is left to pay with",
    403: "the API key may not do that",
    404: "no such model or address",
}
# What servers say in place of a status, where an answer with status 200 holds an error.
_STATUS_OF = {
    _NO_QUOTA: 429,
    "rate_limit_exceeded": 429,
    "context_length_exceeded": 400,
    "invalid_request_error": 400,
}
# Exceptions of httpx and aiohttp by name: which of the two there is, and in what version, openai decides.
_UNREACHABLE = {"ConnectError", "ClientConnectorError"}
_CUT_OFF = {"ServerDisconnectedError"}  # which openai takes for a timeout
_CHARACTERS = 300  # of what a server says


class Failure(NamedTuple):
    kind: str
    # server: the request waits until it is well; request: it may be what fails, and is not asked for ever;
    # refused: asking this server again would not help; stage: nothing would get an answer
    blame: Literal["server", "request", "refused", "stage"]
    detail: str = ""
    wait: float = 0.0  # seconds the server wants to be left alone

    @property
    def overload(self) -> bool:
        """Whether the server had better get less. An error or half an answer says nothing of its load."""
        return self.blame == "server" or self.kind == _LATE

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


class NoAnswer(Exception):
    """What a server said with status 200 is no answer to the request."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def classify(error: Exception) -> Failure:
    """Of what `openai` raises, a deadline that passed (TimeoutError), or an answer that is none (NoAnswer)."""
    import openai  # not at the top: blocks of code can be read without it

    if isinstance(error, NoAnswer):
        return error.failure
    if isinstance(error, openai.APIStatusError):
        return of_status(error.status_code, error.code, message_of(error.body or error.message), retry_after(error))
    cause = str(error.__cause__ or error)
    names = {base.__name__ for each in _chain(error) for base in type(each).__mro__}
    if names & _UNREACHABLE:
        return Failure("no connection", "server", cause)
    if isinstance(error, TimeoutError | openai.APITimeoutError) and not names & _CUT_OFF:
        return Failure(_LATE, "request")
    return Failure("cut off", "request", cause)


def of_status(status: int, code: str | None, detail: str, wait: float = 0.0) -> Failure:
    if status == 429 and code == _NO_QUOTA:
        return Failure("no quota left", "stage", detail)
    if status in _BUSY:
        return Failure("busy" if status == 503 else "too many requests", "server", detail, wait)
    if status in _STOP:
        return Failure(f"{_STOP[status]} (status {status})", "stage", detail)
    if status >= 500 or status in _AGAIN:
        return Failure(f"status {status}", "request", detail)
    return Failure(f"status {status}", "refused", detail)


def of_error(error: Any) -> Failure:
    """Of an error that came with status 200, by the status it names. Gateways send it while what is behind is down."""
    about = error if isinstance(error, dict) else {}
    names = [str(about.get(name)) for name in ("code", "status", "status_code", "type")]
    statuses = [int(name) for name in names if re.fullmatch("[45][0-9]{2}", name)]
    statuses += [_STATUS_OF[name] for name in names if name in _STATUS_OF]
    if statuses:
        code = _NO_QUOTA if _NO_QUOTA in names else None
        return of_status(statuses[0], code, message_of(error))
    return Failure("an error in the answer", "request", message_of(error))


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


def message_of(body: object) -> str:
    """What a server says, on one line."""
    if isinstance(body, dict):
        body = body.get("message") or json.dumps(body)
    return " ".join(str(body).split())[:_CHARACTERS]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
