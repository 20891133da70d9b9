"""docs/operations.md: every message in it is asserted by the test that the page names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
# A heading with the message, and below it a comment: file of the test, and the piece of the message that it asserts.
ENTRIES = re.findall(r"^### `(.+)`\n<!-- (\S+): (.+) -->$", PAGE, re.MULTILINE)


def test_every_message_names_its_test() -> None:
    assert len(ENTRIES) == len(re.findall("^#+ `", PAGE, re.MULTILINE)) >= 15


@pytest.mark.parametrize(("message", "file", "piece"), ENTRIES)
def test_the_message_is_asserted_by_its_test(message: str, file: str, piece: str) -> None:
    assert without_values(piece) in without_values(message)
    assert any(piece in text for text in strings_of(ROOT / file))


def strings_of(file: Path) -> Iterator[str]:
    """Its strings, without those that are comments or docstrings; a regular expression as the text that it is of."""
    tree = ast.parse(file.read_text())
    remarks = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in remarks:
            yield re.sub(r"\\(\W)", r"\1", node.value)


def without_values(text: str) -> str:
    """`text` with its numbers and its <placeholders> alike."""
    return re.sub(r"<\w+>|\d+", "#", text)
