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
_TAIL = 2000  # and its statement, of a language whose lines mean nothing


class NamePlace(Enum):
    FREE = "free"  # a string, a comment, a number, a declaration: nothing is known of it
    MEMBER = "member"
    NAME = "name"


class Syntax(NamedTuple):
    """`lexer` finds strings and comments of a text that begins in code, in groups whose names begin closed or open."""

    name: str
    keywords: frozenset[str]
    lexer: re.Pattern[str]
    place_of: Callable[[str, bool], NamePlace]  # of the lines before, without blanks, and whether a bracket is open
    end: str = ""  # of a statement, where it is no line's end


def place_at(language: Syntax, given: str, written: str, inside: bool = False) -> NamePlace:
    """Of a name that would begin behind `given` and `written`, which begins in code; `inside` a bracket of `given`."""
    if not is_code(language, written):
        return NamePlace.FREE
    before = written.rstrip(" \t")
    tail = given[-_TAIL:] + before if len(before) < _TAIL else before[-_TAIL:]
    if re.search(r"(^|[^\w)\]])\d+\.$|\.\.$", tail[-_LINE:]) or (written[-1:].isdigit()):
        return NamePlace.FREE  # 1.e5, a range, 0x
    return language.place_of(tail, inside or bool(closing(language, written)))


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


def left_to_close(language: Syntax, after: str) -> str:
    """The brackets that `after` closes and does not open."""
    depth, found = 0, []
    for bracket in re.findall(r"[][(){}]", language.lexer.sub(" ", after)):
        depth += 1 if bracket in _CLOSING else -1
        if depth < 0:
            depth = 0
            found.append(bracket)
    return "".join(found)


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


def _python_place(lines: str, inside: bool) -> NamePlace:
    line = lines[-_LINE:].rpartition("\n")[2]
    if line.endswith("."):
        return (
            NamePlace.FREE if re.fullmatch(r"\s*(self|cls|[A-Z]\w*|from\s+)\.", line) else NamePlace.MEMBER
        )  # it may be what is assigned to; or `import` follows
    if inside or re.search(r"\b(as|lambda)\b[^:]*$", line):
        return NamePlace.FREE  # a keyword argument, a variable of a comprehension or of a lambda
    if re.match(r"\s*(async|for|import|from|def|class|global|nonlocal|with|except|del)\b", line):
        return NamePlace.NAME if re.search(r"\bin\b", line) else NamePlace.FREE
    if re.fullmatch(r"\s*((if|elif|while)\s+)?(\w+\s*,\s*)*", line):
        return NamePlace.FREE  # it may be what is assigned to, by = or :=
    return NamePlace.NAME


def _java_place(lines: str, inside: bool) -> NamePlace:
    tail = JAVA.lexer.sub(
        lambda found: '""' if found[0][0] in "\"'" else " ", lines.partition("\n")[2] or lines
    ).rstrip()
    if (statement := re.search(r"(?:^|[;}])\s*(import|package)\b([^;{}]*)$", tail)) and not re.match(
        r"\s+(static\s+)?java\.", statement[2]
    ):
        return NamePlace.FREE  # of libraries that are not there
    if tail.endswith((".", "::")):
        return NamePlace.MEMBER
    return NamePlace.FREE if any(rule(tail) for rule in _JAVA_NEW_NAMES) else NamePlace.NAME


def _behind_a_type(tail: str) -> bool:
    """A declaration's name, behind a word or `]` or `>`; or a label, or what else may follow a word."""
    word = re.search(r"(@?)([A-Za-z_$][\w$]*)$", tail)
    if word:
        return not word[1] and word[2] not in _BEFORE_A_NAME
    return bool(re.search(r"\]$|<[\w\s<>,.?&\[\]@]*>$", tail))


def _of_a_type(tail: str) -> bool:
    """The head of a class, whose body does not follow yet; of a method with parameters of types, which are known when
    it is whole; a constant of an enum."""
    return bool(
        re.search(r"\b(class|interface|enum|record)\s+\w+[^;{}()]*$", tail)
        or re.search(r"\benum\s+\w+[^;{}()]*\{$", tail)
        or re.search(
            r"(^|[;{}]|\b(public|protected|private|static|final|abstract|default|synchronized))\s*<[^;{}]*$", tail
        )
    )


def _of_a_lambda_or_list(tail: str) -> bool:
    """A parameter of a lambda, in a parenthesis that is no call's; an element of an annotation; another name that is
    declared, behind a comma."""
    if not tail.endswith(("(", ",")):
        return False
    opened = open_bracket(tail)
    if opened < 0 or tail[opened] != "(":
        return tail.endswith(",")
    caller = re.search(r"(@?)([\w$.]*)\s*$", tail[:opened])
    name = caller[2] if caller else ""
    if caller and caller[1]:
        return True
    if name in BEFORE_A_CONDITION:
        return tail.endswith(",")
    return (not name and not re.search(r"[>\])]\s*$", tail[:opened])) or name in _BEFORE_A_NAME


def open_bracket(tail: str) -> int:
    """Where the innermost bracket is that is open at the end; -1 where there is none. Strings are not looked at."""
    depth = 0
    for at in range(len(tail) - 1, -1, -1):
        if tail[at] in ")]}":
            depth += 1
        elif tail[at] in "([{":
            if not depth:
                return at
            depth -= 1
    return -1


def _typescript_place(lines: str, inside: bool) -> NamePlace:
    """Behind few words only must a name be known: elsewhere it may be a key, or the parameter of a function."""
    line = lines[-_LINE:].rpartition("\n")[2]
    if line.endswith("."):
        return NamePlace.MEMBER
    return NamePlace.NAME if re.search(r"(^|[^\w$.])(new|typeof|instanceof|throw)$", line) else NamePlace.FREE


_JAVA_NEW_NAMES = (_behind_a_type, _of_a_type, _of_a_lambda_or_list)
BEFORE_A_CONDITION = frozenset(["if", "while", "for", "switch", "catch", "synchronized", "try"])
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
            "sealed",
            "permits",
            "when",
        ]
    ),
    _lexer(
        ('"""',),
        ('"', "'"),
        r"(?P<open_line>//[^\n]*)|(?P<closed_block>/\*(?:(?!\*/).)*\*/)|(?P<open_block>/\*(?:(?!\*/).)*\Z)",
    ),
    _java_place,
    end=";",
)
TYPESCRIPT = Syntax(
    "typescript",
    frozenset(["async", "await", "class", "function", "import", "null", "super", "this", "undefined", "void"]),
    _lexer(
        ("`",),
        ('"', "'"),
        r"(?P<open_line>//[^\n]*)|(?P<closed_block>/\*(?:(?!\*/).)*\*/)|(?P<open_block>/\*(?:(?!\*/).)*\Z)",
    ),
    _typescript_place,
    end=";",
)
LANGUAGES = {language.name: language for language in (PYTHON, JAVA, TYPESCRIPT)}
