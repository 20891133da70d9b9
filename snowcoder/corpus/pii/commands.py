"""Passwords that stand in their place in a command or a statement, whatever the language it is quoted in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Up to the quote that closes it, or to the shell's next sign: a part of a password tells too much of it.
_VALUE = r"(?P<value>[^\s\"'\\]{6,80}(?=[\"'])|[^\s\"'`\\;|&<>(){}$]{6,80}(?=[\s`\\;|&<>]|\Z))"
_WORD = r"(?P<value>[^\s\"'`\\$<>]{6,80})(?=[\s\"'`\\]|\Z)"
_QUOTED = r"\\?[\"'](?P<value>[^\"'\s\\]{6,80})[\"'\\]"
_CONTEXT = 120  # characters before a name


class _Place(NamedTuple):
    word: str  # a text without it has none: it is looked for faster than the expression
    expression: re.Pattern[str]


# All in lower case, for looking for either case takes ten times as long.
_PLACES = [
    _Place(word, re.compile(expression))
    for word, expression in {
        "identified": rf"identified(?: with [\w\"'`]{{1,40}})? by[ \t]{{1,8}}{_QUOTED}",
        "sshpass": rf"sshpass -p ?[\"']?{_VALUE}",
        "mysql": rf"mysql(?:dump|admin)?(?= )[^\n;|]{{0,80}}? -p[\"']?{_VALUE}",
        "curl": rf"curl(?= )[^\n;|]{{0,80}}? (?:-u|--user)[ =]?[\"']?[\w.@-]{{1,40}}:{_VALUE}",
        "chpasswd": rf"echo [\"']?[\w.-]{{1,32}}:{_VALUE}(?=[\"']?[ \t]{{0,4}}\|[ \t]{{0,4}}(?:sudo )?chpasswd)",
        "jdbc:oracle": r"jdbc:oracle:\w{1,8}:[\w.-]{1,40}/(?P<value>[^\s\"'`\\@{}$]{6,80})(?=@)",
    }.items()
]
# A value after a name and no sign of assignment, with what has to stand before the name.
_NAMED = [
    (re.compile(before, re.IGNORECASE), re.compile(rf"(?P<rest>\w{{0,40}}+){after}"))
    for before, after in [
        (r"(?:\A|\n)ENV \w{0,40}\Z", rf"(?:=|[ \t]{{1,4}}){_WORD}"),  # of a Dockerfile
        (r"[ \t\"']--\w{0,20}\Z", rf"[ \t]{{1,2}}[\"']?{_VALUE}"),
        (  # Kubernetes
            r"\bname:[ \t]{1,4}[\"']?\w{0,40}\Z",
            rf"[\"']?[ \t]{{0,4}}\r?\n[ \t]{{1,40}}value:[ \t]{{1,4}}[\"']?{_WORD}",
        ),
        (
            r"<(?:string|property|entry|param|setting|add)\s[^<>]{0,60}\b(?:name|key)=[\"'][\w.-]{0,60}\Z",
            r"[\"']>\s{0,20}(?P<value>[^<>\s]{6,200})\s{0,20}</",
        ),
        (r"\blogin\s{1,8}\S{1,60}\s{1,8}\Z", rf"\s{{1,8}}{_WORD}"),  # of .netrc
        (r"\bwget [^\n;|]{0,100}--(?:http-|ftp-)?\Z", rf"[ =][\"']?{_VALUE}"),
        (
            r"\$\{[\w.]{0,60}\Z",
            r"(?::-|:=|[:-])(?P<value>[^\s\"'`\\{}$]{6,80})(?=\})",
        ),  # where the shell, or Spring, knows no value
    ]
]


def find_in_commands(lowered: str) -> Iterator[tuple[int, int]]:
    """Start and end of what may be a password, in a text that is in lower case."""
    for word, expression in _PLACES:
        if word in lowered:
            yield from (match.span("value") for match in expression.finditer(lowered))


def value_after(text: str, start: int, end: int) -> re.Match[str] | None:
    """The value of the name that stands there, if a command has one."""
    for before, after in _NAMED:
        match = after.match(text, end)
        if match and before.search(text[max(0, start - _CONTEXT) : start]):
            return match
    return None
