"""Keys and passwords of no known format, by the name of what they are assigned to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from snowcoder.corpus.pii.likeness import is_name, is_placeholder, is_random

_OF_KEYS = ("api", "access", "auth", "private", "encryption", "signing", "account", "consumer")
# In lower case, for looking for either case takes ten times as long; and each by itself, for `re` is fast at a literal.
_SECRETS = [
    re.compile(r"pass(?:word|wd|_?phrase|(?<=[_.-]pass)(?![a-z]))"),
    re.compile("pwd"),
    re.compile("secret"),
    re.compile("token(?!iz)"),
    re.compile(f"key(?:{'|'.join(f'(?<={kind}key)|(?<={kind}[_-]key)' for kind in _OF_KEYS)})"),
]
# The end of the name, perhaps as a key or an index; perhaps a type; then a quoted value.
_QUOTED = re.compile(
    r"(?P<rest>[\w-]{0,40}+)\\?[\"'\]]{0,2}"
    r"(?:\s{0,4}(?::\s?&?[\w<>\[\]]{1,20}\s?=|=>|:=|={1,3}|:|,|\(|value=)\s{0,4}|[ \t]{1,8})"
    r"[brfuBRFU@]{0,2}(?P<quote>\\?[\"'`])(?P<value>[^\"'`\s\\]{6,200})(?P=quote)"
)
_ELEMENT = re.compile(r"(?P<rest>[\w-]{0,40}+)>(?P<value>[^<>\s]{6,200})</")
_BARE = re.compile(r"(?P<rest>[\w.-]{0,40}+)[ \t]{0,4}[:=][ \t]{0,4}(?P<value>[^\s\"'`()\[\],;\\]{6,200})(?=[\s,;]|\Z)")
# Of a connection, "Server=db;Password=...;": but not a statement, so the name is the whole of it.
_PART = re.compile(
    r"(?:(?<=[;\"']pwd)|(?<=[;\"']password))(?P<rest>)=(?P<value>[^\s\"'`;\\()]{6,80})(?=;)", re.IGNORECASE
)
_UNQUOTED = {"YAML", "Shell", "Dockerfile", "INI", "Java Properties", "Dotenv", "Batchfile", "Text"}
# What is about a secret: its length, its file, its label.
_ABOUT = re.compile(
    r"length|min|max|hint|field|reset|polic|type|label|url|uri|path|file|name|regex|pattern|id\b|header|prefix|class|"
    r"expir|enc\b|coder|utf|algo|date|ref\b",
    re.IGNORECASE,
)
_HASHES = re.compile(r"sha|md5|hash|digest|checksum|commit|integrity|uuid|guid|crc", re.IGNORECASE)
_CONTEXT = 60  # characters before an assignment in which a hash may be named


def find_assigned(text: str, language: str) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of each; `language` tells whether values go without quotes."""
    values = [_QUOTED, _PART, _ELEMENT, *([_BARE] if language in _UNQUOTED else [])]
    lowered = text.replace("\u0130", "I").lower()  # the one letter that is longer in lower case
    for name in chain.from_iterable(secret.finditer(lowered) for secret in _SECRETS):
        match = next(filter(None, (value.match(text, name.end()) for value in values)), None)
        kind = _kind(text, name, match) if match else None
        if match and kind:
            yield kind, *match.span("value")


def _kind(text: str, name: re.Match[str], match: re.Match[str]) -> str | None:
    value = match["value"]
    if _ABOUT.search(match["rest"]) or is_placeholder(value) or is_name(value):
        return None
    if name[0].startswith(("pass", "pwd")):
        return "password" if _is_password(value) else None
    return "key" if is_random(value) and not _names_a_hash(text, name.start()) else None


def _is_password(value: str) -> bool:
    """Letters and digits, or more kinds of characters: a word is more often a label."""
    if any(map(str.isalpha, value)) and any(map(str.isdigit, value)):
        return True
    return any(map(str.islower, value)) and any(map(str.isupper, value)) and not value.isalnum()


def _names_a_hash(text: str, start: int) -> bool:
    line = text.rfind("\n", max(0, start - _CONTEXT), start) + 1
    return _HASHES.search(text, max(line, start - _CONTEXT), start + _CONTEXT) is not None
