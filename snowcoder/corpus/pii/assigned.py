"""Keys and passwords of no known format, by the name of what they are assigned to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from snowcoder.corpus.pii import values
from snowcoder.corpus.pii.commands import find_in_commands, value_after
from snowcoder.corpus.pii.likeness import is_name, is_placeholder, is_random

_OF_KEYS = ("api", "access", "auth", "private", "encryption", "signing", "account", "consumer")
# In lower case, for looking for either case takes ten times as long; and each by itself, for `re` is fast at a literal.
_SECRETS = [
    re.compile(r"pass(?:word|wd|_?phrase|(?<=[$_.-]pass)(?![a-z]))"),
    re.compile("pwd"),
    re.compile("secret"),
    re.compile("token(?!iz)"),
    re.compile(f"key(?:{'|'.join(f'(?<={kind}key)|(?<={kind}[_-]key)' for kind in _OF_KEYS)})"),
]
_WITH_MARKS = [values.QUOTED, values.PART, *values.OPTIONS, values.ELEMENT]
_WITHOUT = [values.BLOCK, values.BARE]
_UNQUOTED = {"YAML", "Shell", "Dockerfile", "INI", "Java Properties", "Dotenv", "Batchfile", "Text"}
# What is about a secret: its length, its file, its label.
_ABOUT = re.compile(
    r"length|min|max|hint|field|reset|polic|type|label|url|uri|path|file|name|regex|pattern|id\b|header|prefix|class|"
    r"expir|secret|strength|score|level|stat(?:e|us)|method|scheme|enc\b|coder|utf|algo|date|ref\b|_re\b|hash|digest|"
    r"salt|provider",
    re.IGNORECASE,
)
_SHELLS = {"Shell", "Makefile", "Dockerfile", "Batchfile"}
_COMMA = re.compile(r"\s{0,4},(?!\s{0,4}default)")
_CONSTANT = re.compile(r"(?:PASS[A-Z_]*|(?<=[A-Z_])PWD)\b")
_FIRST = re.compile(r"(?:[(\[{]|\bset\w{0,20}\([^()\n]{1,40},)\s{0,20}\w{0,2}\\?[\"'`][^\s\"'`]{0,40}\Z")
_STAGE = re.compile(  # first_pass is one of a compiler's, or of a renderer's
    r"(?:first|second|third|last|next|final|one|two|single|multi|render|shadow|depth|light(?:ing)?|colou?r|blur|post|pre|"
    r"main|buffer|geometry|bloom|opti\w{0,10}|by|band|low|high|\d)[_.-]\Z",
    re.IGNORECASE,
)
_HASHES = re.compile(r"sha|md5|hash|digest|checksum|commit|integrity|uuid|guid|crc", re.IGNORECASE)
_HASHED = re.compile(r"\*[0-9A-F]{40}|md5[0-9a-f]{32}")  # a password of MySQL's, of PostgreSQL's
_SENTENCE = re.compile(r"[\"'][^\"'\n]{0,40} [\w-]{0,20}\Z")
_CONTEXT = 60  # characters before an assignment in which a hash may be named


def find_assigned(text: str, language: str) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of each; `language` tells whether values go without quotes."""
    forms = [*_WITH_MARKS, *(_WITHOUT if language in _UNQUOTED else [])]
    lowered = text.replace("\u0130", "I").lower()  # the one letter that is longer in lower case
    for name in chain.from_iterable(secret.finditer(lowered) for secret in _SECRETS):
        match = _value(forms, text, name)
        kind = _kind(text, name, match) if match and not _is_other(text, name, language) else None
        if match and kind:
            yield kind, *match.span("value")
    for start, end in find_in_commands(lowered):
        if _is_password(text[start:end]):
            yield "password", start, end


def _value(forms: list[re.Pattern[str]], text: str, name: re.Match[str]) -> re.Match[str] | None:
    match = next(filter(None, (form.match(text, name.end()) for form in forms)), None)
    return match or value_after(text, *name.span())


def _kind(text: str, name: re.Match[str], match: re.Match[str]) -> str | None:
    value = match["value"]
    if _ABOUT.search(match["rest"]) or _ends_a_sentence(text, name.start(), match):
        return None
    if name[0].startswith(("pass", "pwd")):
        return "password" if _is_password(value) and not _is_argument(text, name, match) else None
    random = is_random(value) and not is_placeholder(value) and not is_name(value)
    return "key" if random and not _names_a_hash(text, name.start()) else None


def _is_password(value: str) -> bool:
    """Letters and digits, or more kinds of characters: a word is more often a label."""
    if is_placeholder(value) or is_name(value) or _HASHED.fullmatch(value):
        return False
    if any(map(str.isalpha, value)) and any(map(str.isdigit, value)):
        return True
    return any(map(str.islower, value)) and any(map(str.isupper, value)) and not value.isalnum()


def _is_other(text: str, name: re.Match[str], language: str) -> bool:
    """The shell's working directory, or a stage of a compiler."""
    start = name.start()
    if name[0] == "pwd":
        shell = (
            language in _SHELLS and text.startswith("PWD", start) and not text[max(0, start - 1) : start].isidentifier()
        )
        return shell or text.startswith("OLDPWD", start - 3)
    return name[0] == "pass" and _STAGE.search(text[max(0, start - 14) : start]) is not None


def _is_argument(text: str, name: re.Match[str], match: re.Match[str]) -> bool:
    """After a comma a value is of the name only if this is a constant or a string, and the first in its brackets."""
    if match.re is not values.QUOTED or not _COMMA.match(text, match.end("closed")):
        return False
    if not match["closed"]:
        return not _CONSTANT.match(text, name.start())
    return not _FIRST.search(text[max(0, name.start() - _CONTEXT) : name.start()])


def _ends_a_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    """A string that only ends with the name says something about it."""
    closed = match.re is values.QUOTED and match["closed"].strip("\\]")
    return bool(closed) and _SENTENCE.search(text, max(0, start - _CONTEXT), start) is not None


def _names_a_hash(text: str, start: int) -> bool:
    line = text.rfind("\n", max(0, start - _CONTEXT), start) + 1
    return _HASHES.search(text, max(line, start - _CONTEXT), start + _CONTEXT) is not None
