"""A request, and why there may be nothing to read for it."""

from __future__ import annotations

from typing import Any, NamedTuple

from snowcoder.storage.digest import digest_json


class Request(NamedTuple):
    """The body of a chat completion. `key` is its digest: equal requests are one, whichever server gets them."""

    body: dict[str, Any]
    key: str

    @classmethod
    def of(cls, body: dict[str, Any]) -> Request:
        return cls(body, digest_json(body))


class Refused(Exception):
    """There is no answer to this request, or none that can be used. `reason` is one of few, that can be counted."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
