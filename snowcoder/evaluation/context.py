"""A prompt whose context has no room for an answer: one rule, whoever generates. Its end stays."""

from __future__ import annotations

import re
from typing import NamedTuple

_OF_LENGTH = re.compile(r"context|max_model_len|too long|longer than|too large|too many tokens|`inputs`", re.IGNORECASE)
# As vLLM, SGLang, llama.cpp, TGI and OpenAI put it.
_LONGEST = re.compile(
    r"(?:context (?:length|size|window)|max_model_len|limit of|must be <=)\D{0,20}?(\d+)", re.IGNORECASE
)
_PROMPT = re.compile(
    r"(?<!at least )\b(?:(\d+) (?:tokens )?(?:in|from) (?:the|your) (?:messages|prompt|input)"
    r"|(\d+) (?:input|prompt|`inputs`) tokens|(?:request|input|prompt) \((\d+) tokens\)|resulted in (\d+) tokens)",
    re.IGNORECASE,
)
_TOGETHER = re.compile(r"requested (?:a total of )?(\d+) tokens", re.IGNORECASE)


class Length(NamedTuple):
    """What a server says of a request that is too long, in tokens; None where it does not say."""

    longest: int | None  # prompt and answer together
    prompt: int | None


def room(new_tokens: int, longest: int) -> int:
    """Tokens that a prompt leaves to its answer, at least."""
    return min(new_tokens, longest // 4)


def length_of(refusal: str, asked: int) -> Length | None:
    """Of a request for `asked` tokens. None where the refusal does not speak of lengths."""
    if not _OF_LENGTH.search(refusal):
        return None
    longest, prompt, together = (_number(pattern, refusal) for pattern in (_LONGEST, _PROMPT, _TOGETHER))
    return Length(longest, prompt or (together - asked if together and together > asked else None))


def shortened(text: str, asked: int, new_tokens: int, longest: int, tokens: int | None) -> tuple[str, int]:
    """What to ask next: a prompt's end, and how many tokens may follow; for it was too long with `asked` to follow.

    tokens: of the prompt. How they lie in the text no server says: what is kept is the share of its characters.
    """
    least = room(new_tokens, longest)
    if tokens is None or tokens + asked <= longest:  # by its own count there would be room
        return (text, least) if asked > least else (text[len(text) // 4 :], least)
    if tokens <= longest - least:
        return text, longest - tokens
    return text[len(text) - len(text) * (longest - least) // tokens :], least


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(next(filter(None, found.groups()))) if found else None
