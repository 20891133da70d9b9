"""Answers as models give them: what is read, and the reason where nothing is."""

from __future__ import annotations

import pytest

from snowcoder.config.synthesis_schema import ParseConfig
from snowcoder.synthesis.blocks import closed
from snowcoder.synthesis.functions import functions
from snowcoder.synthesis.parse import parse
from snowcoder.synthesis.requests import Refused

CODE = {"kind": "code", "names": ["code"]}
SECTIONS = {"kind": "sections", "names": ["Problem Description", "Solution"]}
TAGS = {"kind": "tags", "names": ["response", "tests"]}
ITEMS = {"kind": "items", "names": ["instruction"]}
TEXT = {"kind": "text", "names": ["response"]}


def read(config: dict, text: str, language: str = "Python") -> list[dict[str, str]]:
    return parse(text, ParseConfig(**config), {"language": language})


@pytest.mark.parametrize(
    ("config", "text", "found"),
    [
        (CODE, "Sure!\n```python\nx = 1\n```\nDone.", [{"code": "x = 1\n"}]),
        (CODE, "```\nx = 1\n```", [{"code": "x = 1\n"}]),
        (CODE, "````py\na = '''\n```\n'''\n````", [{"code": "a = '''\n```\n'''\n"}]),
        (CODE, '```py title="a.py"\r\nx = 1\r\n```\r\n', [{"code": "x = 1\n"}]),
        (CODE, "1. So:\n\n   ```python\n   def f():\n       return 1\n   ```", [{"code": "def f():\n    return 1\n"}]),
        (CODE, "<think>\n```py\nno\n```\n</think>\n```py\nx = 1\n```", [{"code": "x = 1\n"}]),
        (
            SECTIONS,
            "**[Problem Description]**\nSum the list.\n\n### [Solution]:\n```c#\nx\n```\nThis is C#",
            [{"description": "Sum the list.", "solution": "```c#\nx\n```\nThis is C#"}],
        ),
        (SECTIONS, "[problem description] a [SOLUTION] b", [{"description": "a", "solution": "b"}]),
        (TAGS, "<response>\nr\n</response>\n<tests>\nassert 1\n", [{"response": "r", "tests": "assert 1"}]),
        (
            ITEMS,
            "4. Write a.\n5) Sort\n   b.\n\n6. Write a.",
            [{"instruction": "Write a."}, {"instruction": "Sort\n   b."}],
        ),
        (TEXT, " answer\n", [{"response": "answer"}]),
    ],
)
def test_what_is_read(config: dict, text: str, found: list[dict[str, str]]) -> None:
    assert read(config, text) == found


@pytest.mark.parametrize(
    ("config", "text", "reason"),
    [
        (CODE, "I cannot do that.", "no block of code"),
        (CODE, "```python\nx = 1\n", "a block of code without an end"),
        (CODE, "```python\nx\n```\n```python\ny\n```", "several blocks of code"),
        (CODE, "```python\n\n```", "an empty block of code"),
        (CODE, '```python\nUSE = """\n```\nrun\n"""\nx = 1\n```\n', "a block of code without an end"),
        (CODE, '```python\nUSE = """\n```\nrun\n```\n"""\nx = 1\n```\n', "several blocks of code"),
        (CODE, "```python\nx = 1\n```python\nx = 2\n```", "a fence in a block of code"),
        (CODE, "```python\nx\n```\n```python\ny\n", "a block of code without an end"),
        (TEXT, "<think>\nhm", "only reasoning"),
        (CODE, "```cpp\nint x;\n```", "another language than asked for"),
        (SECTIONS, "Here is a problem.", "no [Problem Description]"),
        (SECTIONS, "[Problem Description] a", "no [Solution]"),
        (SECTIONS, "[Solution] b [Problem Description] a", "[Solution] is out of order"),
        (SECTIONS, "[Problem Description] [Solution] b", "nothing in description"),
        (TAGS, "<tests>t</tests>", "no <response>"),
        (TAGS, "<response>r<tests>t</tests>", "<response> has no end"),
        (TAGS, "<response>r</response><response>s</response><tests>t</tests>", "several <response>"),
        (ITEMS, "Write a function.", "no numbered list"),
        (TEXT, "\n", "nothing in response"),
    ],
)
def test_why_nothing_is_read(config: dict, text: str, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        read(config, text)
    assert str(refusal.value) == reason


def test_a_block_that_generation_stopped_at_the_end_of_is_whole() -> None:
    text = "Here:\n```python\nx = 1"
    assert read(CODE, closed(text, ["\n```\n"])) == [{"code": "x = 1\n"}]
    assert closed(text, ["</tests>"]) == text
    assert closed(f"{text}\n```", ["\n```\n"]) == f"{text}\n```"


def test_functions_are_those_that_could_be_a_task() -> None:
    good = 'def double(x):\n    """Twice."""\n    return 2 * x'
    bad = [
        'def nothing():\n    """No argument."""\n    return 1',
        "def no_docstring(x):\n    return x",
        'def no_value(x):\n    """Prints."""\n    print(x)\n    return',
        'def of_another(x):\n    """Only what is inside returns."""\n    def inner(y):\n        return y',
        'def open_end(x):\n    """TODO: finish."""\n    return x',
        'def outside(x):\n    """Imports."""\n    import os\n    return os.name',
        'class A:\n    def method(self, x):\n        """In a class."""\n        return x',
    ]
    assert functions("\n\n".join([*bad, good])) == [good]
