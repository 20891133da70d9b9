"""Tests that a model writes must test something."""

from __future__ import annotations

import pytest

from snowcoder.sandbox.program import Program
from snowcoder.sandbox.sandbox import Sandbox
from snowcoder.synthesis.check_samples import counted

UNCALLED = "def test():\n    assert f(1) == 2"
UNITTEST = "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        assert f(1) == 2"


@pytest.mark.parametrize(
    ("tests", "passes"),
    [
        ("assert f(1) == 2", True),
        (f"{UNCALLED}\ntest()", True),
        ("for x in range(3):\n    assert f(x) == x + 1", True),
        ("assert f(1) == 3", False),
        (UNCALLED, False),
        (f"{UNITTEST}\nif __name__ == '__main__':\n    unittest.main()", False),
        ("assert f(1) == ", False),
    ],
)
def test_assertions_must_have_run(sandbox: Sandbox, tests: str, passes: bool) -> None:
    outcome = sandbox.run(Program("def f(x): return x + 1", counted(tests)))
    assert outcome.passed == passes, outcome
