"""What can go on to a program, and where it may end: by Python's own parser, and by tree-sitter's."""

from __future__ import annotations

import colorsys
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from snowcoder.guided.grammar import GapGrammar, grammar_at
from snowcoder.guided.guide import Guide
from snowcoder.guided.places import JAVA, PYTHON, Syntax

PYTHON_GIVEN = """import os

HELP = '''
x = 1
'''


@property
def before(x):
    return x


class Shelf:
    def first(self):
        return 1

    def second(self, a, b):
        if a:
"""
PYTHON_AFTER = """
        return a


print(1)
"""
JAVA_GIVEN = """package p;

import java.util.*;

class Shelf {
    int one() { for (int i = 0; i < 2; i++) { b += i; } return 1; }

    int two(int a, List<String> b) {
        if (a > 1) {
"""
JAVA_AFTER = """
        }
        return 2;
    }
}
"""
GAPS = {PYTHON.name: (PYTHON, PYTHON_GIVEN, PYTHON_AFTER), JAVA.name: (JAVA, JAVA_GIVEN, JAVA_AFTER)}
LINE, JAVA_LINE = "            ", "            "


def grammar_of(language: str) -> GapGrammar:
    found = grammar_at(*GAPS[language])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("language", "written", "goes_on"),
    [
        ("python", "    x = 1\n", False),  # as deep as the if
        ("python", f"{LINE}x = a.", True),
        ("python", f"{LINE}x = a b", False),
        ("python", f"{LINE}x = a i", True),  # in, is, if
        ("python", f"{LINE}x = a if b", True),
        ("python", f"{LINE}x = a iff", False),
        ("python", f"{LINE}x = (a, b", True),
        ("python", f"{LINE}x = (a, b]", False),
        ("python", f"{LINE}x = a)", False),
        ("python", f"{LINE}x = a\n          y", False),  # no such indentation
        ("python", f"{LINE}x = a\n        el", True),
        ("python", f"{LINE}x = a\n        else:\n", True),
        ("python", f"{LINE}x = a\n    else:\n", False),
        ("python", f"{LINE}x = 'a b c ) ", True),
        ("python", f"{LINE}x = a 'b", False),  # a string where none can be
        ("python", f"{LINE}x = f'{{a b", True),  # known when the string ends
        ("python", f"{LINE}x = 1  # and ) more", True),
        ("python", f"{LINE}x = ) # and more", False),
        ("python", f"{LINE}x = 1.", True),
        ("python", f"{LINE}x = 1e", True),
        ("python", f"{LINE}x = a !", True),
        ("python", f"{LINE}x = a !=", True),
        ("python", f"{LINE}x = !", False),
        ("python", f"{LINE}x = [y for :", False),
        ("python", f"{LINE}x = (y :", True),  # y := 1
        ("python", f"{LINE}x = \\", True),
        ("python", f"{LINE}x = \\\n  1", True),
        ("python", f"{LINE}x = 1\n{LINE}def", True),
        ("python", f"{LINE}return a\n\n    def third(self) -", True),
        ("python", f"{LINE}retur", True),
        ("python", f"{LINE}x = return ", False),
        ("python", f"{LINE}x = ret", True),
        ("python", f"{LINE}x = \0", False),
        ("python", f"{LINE}x = ('a'\n r", True),
        ("python", f"{LINE}x = ('a'\n s", False),
        ("java", "x = a.", True),
        ("java", "x = a b", False),
        ("java", "boolean x = a inst", True),
        ("java", "foo(a, b", True),
        ("java", "foo(a, b]", False),
        ("java", "foo(a, b));", False),
        ("java", "x = 1;\n } else", True),
        ("java", "x = 1;\n } } } void f() {", True),
        ("java", "x = 1;\n } } } }", False),
        ("java", "x = 1 }", False),
        ("java", "for (int i = 0; i < a; i++) { b += i; }", True),  # several readings, of which one fails
        ("java", 'String x = "a b ) ', True),
        ("java", 'String x = "m\\', True),
        ("java", 'String x = a "b', False),
        ("java", "// and ) more", True),
        ("java", "x = ) /* and", False),
        ("java", "x = a -", True),
        ("java", "Runnable x = () -", True),
        ("java", "x = a !", True),
        ("java", "x = a &", True),
        ("java", "x = () /", True),  # a comment
        ("java", "List<Str", True),
        ("java", "int x[] = new int[", True),
        ("java", "x = 'é' + ", True),
    ],
)
def test_what_can_go_on(language: str, written: str, goes_on: bool) -> None:
    assert grammar_of(language).goes_on(written) is goes_on


@pytest.mark.parametrize(
    ("language", "written", "may_end"),
    [
        ("python", f"{LINE}x = a", True),
        ("python", f"{LINE}x = (a", False),
        ("python", f"{LINE}pass\n    x = a", False),  # behind the function, whose end follows
        ("python", f"{LINE}pass\n{LINE}yield (return)", False),
        ("python", "", False),
        ("java", "x = a;", True),
        ("java", "x = a", False),
        ("java", "x = a; }", False),
        ("java", "x = a; } else {", True),
        ("java", "", True),
    ],
)
def test_where_a_gap_may_end(language: str, written: str, may_end: bool) -> None:
    assert grammar_of(language).may_end(written) is may_end


def test_what_was_wrong_before_is_not_held_against_what_is_written() -> None:
    after = JAVA_AFTER + "class Other { int ; }"
    known, unknown = grammar_at(JAVA, JAVA_GIVEN, after, "x = a;"), grammar_at(JAVA, JAVA_GIVEN, after)
    assert known is not None
    assert unknown is not None
    assert known.may_end("y = b;")
    assert not known.may_end("y = (b;")
    assert not unknown.may_end("y = b;")


@pytest.mark.parametrize("given", ["x = = 1\n", "x = 'a ", "# a "])
def test_where_the_beginning_is_none_all_is_allowed(given: str) -> None:
    found = grammar_at(PYTHON, given, "\n")
    assert found is not None
    assert found.goes_on(") )")
    assert found.may_end(") )")


def test_other_languages_have_no_grammar() -> None:
    assert grammar_at(Syntax("cobol", frozenset(), PYTHON.lexer, PYTHON.place_of), "", "") is None


def beginnings(text: str) -> Iterator[str]:
    """Of a text, with words cut in the middle."""
    ends = {0, len(text)}
    lines = [0, *(n + 1 for n, each in enumerate(text) if each == "\n")]
    for token in tokenize.generate_tokens(StringIO(text).readline):
        start, end = (lines[row - 1] + column for row, column in (token.start, token.end))
        ends |= {start, (start + end) // 2, end}
    yield from (text[:end] for end in sorted(ends))


def test_real_code_is_never_refused() -> None:
    text = Path(colorsys.__file__).read_text()
    found = grammar_at(PYTHON, "", "")
    assert found is not None
    assert [each[-80:] for each in beginnings(text) if not found.goes_on(each)] == []
    assert found.may_end(text)


def test_a_gap_of_so_many_lines_ends_with_the_last_one() -> None:
    guide = Guide(JAVA, None, JAVA_GIVEN, JAVA_AFTER, grammar=grammar_of("java"), lines=2)
    assert guide.allows("if (a) {", "\n")
    assert not guide.allows("if (a) {\n x = 1;", "\n")
    assert guide.allows("if (a) {\n x = 1; }", "\n")
    assert guide.allows("if (a) {\n x = 1; }", "\n )")  # what is behind the gap does not count
    assert guide.allows("if (a) {\n x = 1; }\n", ")")
    assert not guide.may_end("if (a) {")
