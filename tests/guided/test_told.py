"""What a guide tells an engine of the text around a place."""

from __future__ import annotations

import pytest

from snowcoder.guided.guide import Guide
from snowcoder.guided.names import EngineCounts, Names
from snowcoder.guided.places import JAVA, PYTHON, Syntax

METHOD = "class A {\n  void f() {\n"


class Listener:
    def __init__(self) -> None:
        self.counts = EngineCounts()
        self.told: list[tuple[str, str]] = []

    def ask(self, before: str, after: str) -> frozenset[str] | None:
        self.told.append((before, after))
        return None


@pytest.mark.parametrize(
    ("language", "given", "written", "after", "closed"),
    [
        (JAVA, METHOD, "    int n = words", "\n  }\n}\n", ";"),
        (JAVA, METHOD, "    f(a[words", "\n  }\n}\n", "]);"),
        (JAVA, METHOD, "    if (words", "\n    }\n  }\n}\n", "){"),  # the line is to open what is closed later
        (JAVA, METHOD, "    if (words", "\n    {\n    }\n  }\n}\n", ");"),
        (JAVA, METHOD + "    g(", "words", ");\n  }\n}\n", ""),  # all is closed by what follows on the line
        (JAVA, METHOD + "    g(", "f(words", ");\n  }\n}\n", ")"),
        (JAVA, METHOD + "    g(\n", "      words", "\n    );\n  }\n}\n", ";"),
        (PYTHON, "def f(words):\n", "    g([words", "\n    return 1\n", "])"),
    ],
)
def test_what_is_open_is_closed(language: Syntax, given: str, written: str, after: str, closed: str) -> None:
    listener = Listener()
    Guide(language, Names(listener), given, after).allows(written, ".x")
    assert listener.told[-1] == (f"{given}{written}.", f"{closed}{after}")
