"""What may be written at a place of a text, by its words alone: anything, a member of what is before a dot, or a name.

Where the words do not tell, it is anything: a guide that is in doubt accepts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

NAME = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_LINE = 400  # characters before a place that its line may have


class NamePlace(Enum):
    FREE = "free"  # a string, a comment, a number, a declaration: nothing is known of it
    MEMBER = "member"
    NAME = "name"


class Syntax(NamedTuple):
    """`lexer` finds strings and comments of a text that begins in code, in groups whose names begin closed or open."""

    name: str
    keywords: frozenset[str]
    lexer: re.Pattern[str]
    place_of: Callable[[str, bool], NamePlace]  # of what stands before on the line, and whether a bracket is open


def place_at(language: Syntax, given: str, written: str, inside: bool = False) -> NamePlace:
    """Of a name that would begin behind `given` and `written`, which begins in code; `inside` a bracket of `given`."""
    if not is_code(language, written):
        return NamePlace.FREE
    before = written.rstrip(" \t")
    line = (given + before)[-_LINE:].rpartition("\n")[2]
    if re.search(r"(^|[^\w)\]])\d+\.$|\.\.$", line) or (written[-1:].isdigit()):
        return NamePlace.FREE  # 1.e5, a range, 0x
    return language.place_of(line, inside or bool(closing(language, written)))


def is_code(language: Syntax, text: str) -> bool:
    """Whether the end of `text` is in no string and no comment."""
    return code_end(language, text) == len(text)


def code_end(language: Syntax, text: str) -> int:
    """Where the string or comment begins in which `text` ends; its length, where it ends in code."""
    found = list(language.lexer.finditer(text))
    if not found or found[-1].end() < len(text) or (found[-1].lastgroup or "").startswith("closed"):
        return len(text)
    return found[-1].start()


def closing(language: Syntax, text: str, before: str = "") -> str:
    """The brackets that close those which are open at the end of `text`, where `before` closes those open before it."""
    found = list(reversed(before))
    for bracket in re.findall(r"[][(){}]", language.lexer.sub(" ", text)):
        if bracket in _CLOSING:
            found.append(_CLOSING[bracket])
        elif found and found[-1] == bracket:
            found.pop()
    return "".join(reversed(found))


def name_start(text: str) -> int:
    """Where the name begins that `text` ends in; its length, where it ends in none."""
    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] in "_$"):
        start -= 1
    return start


def _lexer(long: tuple[str, ...], short: tuple[str, ...], comments: str) -> re.Pattern[str]:
    """Of strings with these quotes, the long ones over several lines; and patterns of comments, in a group each."""
    parts = [comments]
    for number, quote in enumerate(long):
        inside = rf"{quote}(?:\\.|(?!{quote}).)*"
        parts.append(rf"(?P<closed_long{number}>{inside}{quote})|(?P<open_long{number}>{inside}\Z)")
    for number, quote in enumerate(short):
        inside = rf"{quote}(?:\\.|[^{quote}\\\n])*"
        parts.append(rf"(?P<closed{number}>{inside}{quote})|(?P<open{number}>{inside}(?:\\\Z)?)")
    return re.compile("|".join(parts), re.DOTALL)


def _python_place(line: str, inside: bool) -> NamePlace:
    if line.endswith("."):
        return (
            NamePlace.FREE if re.fullmatch(r"\s*(self|cls|[A-Z]\w*)\.", line) else NamePlace.MEMBER
        )  # it may be what is assigned to
    if inside or re.search(r"\b(as|lambda)\b[^:]*$", line):
        return NamePlace.FREE  # a keyword argument, a variable of a comprehension or of a lambda
    if re.match(r"\s*(async|for|import|from|def|class|global|nonlocal|with|except|del)\b", line):
        return NamePlace.NAME if re.search(r"\bin\b", line) else NamePlace.FREE
    if re.fullmatch(r"\s*((if|elif|while)\s+)?(\w+\s*,\s*)*", line):
        return NamePlace.FREE  # it may be what is assigned to, by = or :=
    return NamePlace.NAME


def _java_place(line: str, inside: bool) -> NamePlace:
    if line.endswith((".", "::")):
        return NamePlace.MEMBER
    word = re.search(r"(@?)([A-Za-z_$][\w$]*)$", line)
    if word and not word[1] and word[2] not in _BEFORE_A_NAME:
        return NamePlace.FREE  # a declaration's name, or a label
    if re.search(r"\]\s*$|[A-Z]\w*<[\w<>,.?&\[\] ]*>$", line):
        return NamePlace.FREE
    return NamePlace.NAME


_BEFORE_A_NAME = frozenset(
    [
        "return",
        "new",
        "else",
        "case",
        "throw",
        "instanceof",
        "do",
        "assert",
        "throws",
        "extends",
        "implements",
        "default",
        "finally",
    ]
)
PYTHON = Syntax(
    "python",
    frozenset(
        [
            "False",
            "None",
            "True",
            "and",
            "as",
            "assert",
            "async",
            "await",
            "break",
            "class",
            "continue",
            "def",
            "del",
            "elif",
            "else",
            "except",
            "finally",
            "for",
            "from",
            "global",
            "if",
            "import",
            "in",
            "is",
            "lambda",
            "nonlocal",
            "not",
            "or",
            "pass",
            "raise",
            "return",
            "try",
            "while",
            "with",
            "yield",
            "print",
            "match",
            "case",
            "type",
        ]
    ),
    _lexer(('"""', "'''"), ('"', "'"), r"(?P<open_line>#[^\n]*)"),
    _python_place,
)
JAVA = Syntax(
    "java",
    frozenset(
        [
            "abstract",
            "assert",
            "boolean",
            "break",
            "byte",
            "case",
            "catch",
            "char",
            "class",
            "const",
            "continue",
            "default",
            "do",
            "double",
            "else",
            "enum",
            "extends",
            "final",
            "finally",
            "float",
            "for",
            "if",
            "goto",
            "implements",
            "import",
            "instanceof",
            "int",
            "interface",
            "long",
            "native",
            "new",
            "package",
            "private",
            "protected",
            "public",
            "return",
            "short",
            "static",
            "super",
            "switch",
            "synchronized",
            "this",
            "throw",
            "throws",
            "transient",
            "try",
            "void",
            "volatile",
            "while",
            "true",
            "false",
            "null",
            "var",
            "record",
            "yield",
        ]
    ),
    _lexer(
        ('"""',),
        ('"', "'"),
        r"(?P<open_line>//[^\n]*)|(?P<closed_block>/\*(?:(?!\*/).)*\*/)|(?P<open_block>/\*(?:(?!\*/).)*\Z)",
    ),
    _java_place,
)
LANGUAGES = {language.name: language for language in (PYTHON, JAVA)}
