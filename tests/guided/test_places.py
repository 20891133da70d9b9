"""What may be written at a place, by its words."""

from __future__ import annotations

import pytest

from snowcoder.guided.places import (
    JAVA,
    PYTHON,
    NamePlace,
    Syntax,
    closing,
    is_code,
    left_to_close,
    name_start,
    place_at,
)


@pytest.mark.parametrize(
    ("language", "text", "code"),
    [
        (PYTHON, "x = 'a # b' ", True),
        (PYTHON, "x = 'a # b", False),
        (PYTHON, "# it's", False),
        (PYTHON, "# it's\nx", True),
        (PYTHON, '"""one\n"two"\n', False),
        (PYTHON, '"""one\n"two"\n"""', True),
        (PYTHON, r"x = 'a\' b", False),
        (PYTHON, "x = '''it's''' + y", True),
        (JAVA, "/* a * b", False),
        (JAVA, "/* a */ x", True),
        (JAVA, "char c = '\"'; x", True),
        (JAVA, "// it's\nx", True),
        (JAVA, "x = 1; // done", False),
        (JAVA, "", True),
    ],
)
def test_what_is_code(language: Syntax, text: str, code: bool) -> None:
    assert is_code(language, text) is code


@pytest.mark.parametrize(
    ("language", "given", "written", "place"),
    [
        (PYTHON, "def f(paths):\n", "    return paths.", NamePlace.MEMBER),
        (PYTHON, "def f(paths):\n", "    return ", NamePlace.NAME),
        (PYTHON, "", "from . ", NamePlace.FREE),  # import
        (PYTHON, "def f(paths):\n", "    ", NamePlace.FREE),  # an assignment's target
        (PYTHON, "def f(paths):\n", "    return f(", NamePlace.FREE),  # a keyword argument
        (PYTHON, "def f(paths):\n", "    for ", NamePlace.FREE),
        (PYTHON, "def f(paths):\n", "    for path in ", NamePlace.NAME),
        (PYTHON, "def f(paths):\n", "    x = 1.", NamePlace.FREE),
        (PYTHON, "def f(paths):\n", "    x = 'paths.", NamePlace.FREE),
        (PYTHON, "def f(paths):\n    return paths.", "", NamePlace.MEMBER),
        (PYTHON, "class A:\n    def f(self):\n", "        self.", NamePlace.FREE),  # an attribute may be new
        (PYTHON, "class A:\n    def f(self):\n", "        return self.", NamePlace.MEMBER),
        (JAVA, "class A {\n", "    String ", NamePlace.FREE),
        (JAVA, "class A {\n", "    List<String> ", NamePlace.FREE),
        (JAVA, "class A {\n", "    int[] ", NamePlace.FREE),
        (JAVA, "class A {\n", "    return ", NamePlace.NAME),
        (JAVA, "class A {\n", "    x.", NamePlace.MEMBER),
        (JAVA, "class A {\n", "    Arrays::", NamePlace.MEMBER),
        (JAVA, "class A {\n", "    x = y + ", NamePlace.NAME),
        (JAVA, "class A {\n", "    double d = 1.", NamePlace.FREE),
    ],
)
def test_places(language: Syntax, given: str, written: str, place: NamePlace) -> None:
    assert place_at(language, given, written) is place


@pytest.mark.parametrize(
    ("text", "closes"),
    [("f(a[1", "])"), ("f(')')", ""), ("f('(', [", "])"), ("x = 1)", ""), ("{(a)}", ""), ("{(a)", "}")],
)
def test_brackets_are_closed_in_their_order(text: str, closes: str) -> None:
    assert closing(PYTHON, text) == closes


def test_where_a_name_begins() -> None:
    assert [name_start(text) for text in ("a.bc", "a.", "", "x_1")] == [2, 2, 0, 0]


@pytest.mark.parametrize(
    ("after", "left"),
    [("\n}\n}\n", "}}"), (");\n  f(x);\n}", ")}"), ("\nint f() { return (1); }\n}", "}"), ("\n// }\n", "")],
)
def test_what_the_lines_behind_close(after: str, left: str) -> None:
    assert left_to_close(JAVA, after) == left
