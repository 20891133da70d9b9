"""What a step reads from an answer, or why it reads nothing: the reasons are the rows of the report."""

from __future__ import annotations

import re
from collections.abc import Callable

from snowcoder.answers.reasoning import without_reasoning
from snowcoder.config.synthesis_schema import ParseConfig
from snowcoder.synthesis.blocks import blocks, has_fence_in_block, has_open_block
from snowcoder.synthesis.requests import Refused

Fields = dict[str, str]

_TRIM = re.compile(r"^[*:\s]+|(\n[*#\s]*)+$|\s+$")  # what is left of a title that was printed bold, or as a heading
_ITEM = re.compile(r"^\s*\d+\s*[.):]\s*(.*?)(?=^\s*\d+\s*[.):]|\Z)", re.DOTALL | re.MULTILINE)


def parse(text: str, config: ParseConfig, fields: Fields) -> list[Fields]:
    """New fields, for each sample that comes of the answer. `fields`: those the sample has.

    Raises Refused with a reason of few different ones, that can be counted.
    """
    answer = without_reasoning(text.replace("\r\n", "\n"))
    if answer.fault:
        raise Refused(answer.fault)
    return _PARSERS[config.kind](answer.text, config.names, fields)


def field_of(name: str) -> str:
    """`Problem Description` is the field `description`."""
    return name.split()[-1].lower()


def _code(text: str, names: list[str], fields: Fields) -> list[Fields]:
    """The one block that is there. Of several nobody knows which is the file, nor where one ends with fences in it."""
    found = blocks(text)
    if has_open_block(text):
        raise Refused("a block of code without an end")
    if has_fence_in_block(text):
        raise Refused("a fence in a block of code")
    if not found:
        raise Refused("no block of code")
    if len(found) > 1:
        raise Refused("several blocks of code")
    (block,) = found
    if not block.code.strip():
        raise Refused("an empty block of code")
    if block.language and fields.get("language") and block.language != fields["language"]:
        raise Refused("another language than asked for")
    return [{field_of(names[0]): block.code}]


def _sections(text: str, names: list[str], fields: Fields) -> list[Fields]:
    """Magicoder's rule: every title is there, in this order and whatever its case, and something follows each."""
    starts: list[int] = []
    ends: list[int] = []
    for name in names:
        match = re.compile(rf"\[{re.escape(name)}\]:?", re.IGNORECASE).search(text, ends[-1] if ends else 0)
        if match is None:
            there = re.search(rf"\[{re.escape(name)}\]", text, re.IGNORECASE)
            raise Refused(f"[{name}] is out of order" if there else f"no [{name}]")
        starts.append(match.start())
        ends.append(match.end())
    stops = [*starts[1:], len(text)]
    found = {field_of(name): _TRIM.sub("", text[a:b]) for name, a, b in zip(names, ends, stops, strict=True)}
    return [_none_empty(found)]


def _tags(text: str, names: list[str], fields: Fields) -> list[Fields]:
    """Each once. The last one may lack its end, where generation stopped at it."""
    found = {}
    for name in names:
        count = text.count(f"<{name}>")
        if count != 1:
            raise Refused(f"no <{name}>" if not count else f"several <{name}>")
        body, end, _ = text.partition(f"<{name}>")[2].partition(f"</{name}>")
        if not end and name != names[-1]:
            raise Refused(f"<{name}> has no end")
        found[field_of(name)] = body.strip()
    return [_none_empty(found)]


def _items(text: str, names: list[str], fields: Fields) -> list[Fields]:
    found = list(dict.fromkeys(filter(None, (match.strip() for match in _ITEM.findall(text)))))
    if not found:
        raise Refused("no numbered list")
    return [{field_of(names[0]): item} for item in found]


def _text(text: str, names: list[str], fields: Fields) -> list[Fields]:
    return [_none_empty({field_of(names[0]): text.strip()})]


def _none_empty(found: Fields) -> Fields:
    for name, value in found.items():
        if not value:
            raise Refused(f"nothing in {name}")
    return found


_PARSERS: dict[str, Callable[[str, list[str], Fields], list[Fields]]] = {
    "code": _code,
    "sections": _sections,
    "tags": _tags,
    "items": _items,
    "text": _text,
}
