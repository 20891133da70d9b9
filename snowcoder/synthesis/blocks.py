"""Blocks of code in Markdown, as language models fence them."""

from __future__ import annotations

import re
from typing import NamedTuple

from snowcoder.answers.fences import Fenced, fenced_blocks
from snowcoder.corpus.languages import language_named


class Block(NamedTuple):
    language: str | None  # as GitHub's Linguist names it; None where the fence does not say, or says what nobody knows
    code: str
    dialect: str = ""  # as the fence says it, in lower case: `tsx` is more than its language


def blocks(text: str) -> list[Block]:
    return [_block(each) for each in fenced_blocks(text) if each.is_closed]


def has_open_block(text: str) -> bool:
    """Whether a block begins that never ends."""
    return any(not each.is_closed for each in fenced_blocks(text))


def has_fence_in_block(text: str) -> bool:
    """Whether the end of a block may be that of another one, within it."""
    return any(each.has_fence for each in fenced_blocks(text))


def closed(text: str, stops: list[str]) -> str:
    """With the end of its last block, where generation stopped at that end, which servers leave out."""
    end = next((stop for stop in stops if stop.strip() == "```"), None)
    return text + end if end and has_open_block(text) else text


def _block(fenced: Fenced) -> Block:
    alias = re.split(r"[\s:{,]", fenced.info, maxsplit=1)[0].lower()
    return Block(language_named(alias) if alias else None, fenced.code, alias)
