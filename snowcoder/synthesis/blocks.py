"""Blocks of code in Markdown, as language models fence them."""

from __future__ import annotations

import re
from typing import NamedTuple

from snowcoder.corpus.languages import language_of_alias

_FENCED = re.compile(
    r"^[ ]{0,3}(?P<fence>```+|~~~+)[ \t]*(?P<info>[^\n`]*)\n(?P<code>.*?)^[ ]{0,3}(?P=fence)[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_OPEN = re.compile(r"^[ ]{0,3}(```|~~~)", re.MULTILINE)


class Block(NamedTuple):
    language: str | None  # as GitHub's Linguist names it; None where the fence does not say
    code: str


def blocks(text: str) -> list[Block]:
    return [Block(_language(match["info"].strip()), match["code"]) for match in _FENCED.finditer(text)]


def has_open_block(text: str) -> bool:
    """Whether a block begins that never ends."""
    return bool(_OPEN.search(_FENCED.sub("", text)))


def closed(text: str, stops: list[str]) -> str:
    """With the end of its last block, where generation stopped at that end, which servers leave out."""
    end = next((stop for stop in stops if stop.strip() == "```"), None)
    return text + end if end and has_open_block(text) else text


def _language(info: str) -> str | None:
    alias = re.split(r"[\s:{,]", info, maxsplit=1)[0].lower()
    return language_of_alias(alias) if alias else None
