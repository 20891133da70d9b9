"""A request and what a server says to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from snowcoder.lineage.digest import digest_json


class Request(NamedTuple):
    """The body of a chat completion. `key` is its digest: equal requests are one, whichever server gets them."""

    body: dict[str, Any]
    key: str

    @classmethod
    def of(cls, body: dict[str, Any]) -> Request:
        return cls(body, digest_json(body))


class Answer(NamedTuple):
    text: str
    finish: str  # "stop"; "length": the server cut it off
    prompt_tokens: int
    completion_tokens: int


class Refused(Exception):
    """There is no answer to this request, and asking again would not help. The text says why."""


def read_answer(raw: Any) -> Answer:
    """Raises ValueError where it is none, which a server on its way down may send with status 200."""
    try:
        choice, usage = raw["choices"][0], raw.get("usage") or {}
        text, finish = choice["message"].get("content") or "", choice["finish_reason"]
        tokens = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"no chat completion ({type(error).__name__}: {error})") from None
    if not isinstance(text, str) or not isinstance(finish, str):
        raise ValueError("no chat completion: its content or finish_reason is no text")
    return Answer(text, finish, *tokens)
