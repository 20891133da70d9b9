"""Fenced code in Markdown: where each block begins and ends (CommonMark, section 4.5)."""

from __future__ import annotations

import re
from typing import NamedTuple

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\r\n]*?)[ \t\r]*$", re.MULTILINE)
_INDENT = 3  # spaces more than its opening that a closing fence may have: with four it is a line of code


class Fenced(NamedTuple):
    start: int  # in the text, of its first fence's line
    end: int  # of its last fence's line; of a block without an end, that of the text
    info: str
    code: str  # without the indentation of its first fence
    is_closed: bool
    has_fence: bool  # a line in it could be the first of another block: nobody knows which of the two was closed


def fenced_blocks(text: str) -> list[Fenced]:
    found: list[Fenced] = []
    opening, has_fence = None, False
    for line in _FENCE.finditer(text):
        if line["fence"][0] == "`" and "`" in line["info"]:
            continue  # code within a line
        if opening is None:
            opening, has_fence = line, False
        elif not _is_alike(line, opening):
            continue
        elif line["info"]:
            has_fence = True
        else:
            found.append(_block(text, opening, line.start(), line.end(), True, has_fence))
            opening = None
    if opening:
        found.append(_block(text, opening, len(text), len(text), False, has_fence))
    return found


def unfenced(text: str) -> str:
    """The text with its blocks blanked, so that places stay the same."""
    parts, at = list[str](), 0
    for block in fenced_blocks(text):
        parts += [text[at : block.start], " " * (block.end - block.start)]
        at = block.end
    return "".join([*parts, text[at:]])


def _is_alike(line: re.Match[str], opening: re.Match[str]) -> bool:
    return (
        line["fence"].startswith(opening["fence"])  # the same characters, as many or more
        and len(line["indent"]) <= len(opening["indent"]) + _INDENT
    )


def _block(text: str, opening: re.Match[str], to: int, end: int, is_closed: bool, has_fence: bool) -> Fenced:
    code = text[opening.end() + 1 : to]
    if indent := len(opening["indent"]):
        code = re.sub(rf"^ {{1,{indent}}}", "", code, flags=re.MULTILINE)
    return Fenced(opening.start(), end, opening["info"], code, is_closed, has_fence)
