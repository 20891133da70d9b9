"""What may be written at a place, by its words."""

from __future__ import annotations

import pytest

from snowcoder.guided.places import JAVA, PYTHON, Language, Place, closing, is_code, name_start, place_at


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
def test_what_is_code(language: Language, text: str, code: bool) -> None:
    assert is_code(language, text) is code


@pytest.mark.parametrize(
    ("language", "given", "written", "place"),
    [
        (PYTHON, "def f(paths):\n", "    return paths.", Place.MEMBER),
        (PYTHON, "def f(paths):\n", "    return ", Place.NAME),
        (PYTHON, "def f(paths):\n", "    ", Place.FREE),  # an assignment's target
        (PYTHON, "def f(paths):\n", "    return f(", Place.FREE),  # a keyword argument
        (PYTHON, "def f(paths):\n", "    for ", Place.FREE),
        (PYTHON, "def f(paths):\n", "    for path in ", Place.NAME),
        (PYTHON, "def f(paths):\n", "    x = 1.", Place.FREE),
        (PYTHON, "def f(paths):\n", "    x = 'paths.", Place.FREE),
        (PYTHON, "def f(paths):\n    return paths.", "", Place.MEMBER),
        (PYTHON, "class A:\n    def f(self):\n", "        self.", Place.FREE),  # an attribute may be new
        (PYTHON, "class A:\n    def f(self):\n", "        return self.", Place.MEMBER),
        (JAVA, "class A {\n", "    String ", Place.FREE),
        (JAVA, "class A {\n", "    List<String> ", Place.FREE),
        (JAVA, "class A {\n", "    int[] ", Place.FREE),
        (JAVA, "class A {\n", "    return ", Place.NAME),
        (JAVA, "class A {\n", "    x.", Place.MEMBER),
        (JAVA, "class A {\n", "    Arrays::", Place.MEMBER),
        (JAVA, "class A {\n", "    x = y + ", Place.NAME),
        (JAVA, "class A {\n", "    double d = 1.", Place.FREE),
    ],
)
def test_places(language: Language, given: str, written: str, place: Place) -> None:
    assert place_at(language, given, written) is place


@pytest.mark.parametrize(
    ("text", "closes"),
    [("f(a[1", "])"), ("f(')')", ""), ("f('(', [", "])"), ("x = 1)", ""), ("{(a)}", ""), ("{(a)", "}")],
)
def test_brackets_are_closed_in_their_order(text: str, closes: str) -> None:
    assert closing(PYTHON, text) == closes


def test_where_a_name_begins() -> None:
    assert [name_start(text) for text in ("a.bc", "a.", "", "x_1")] == [2, 2, 0, 0]
