"""The parts by which a file is scored."""

from __future__ import annotations

import pytest

from snowcoder.annotation.sections import sections


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [""]),
        ("abcd", ["abcd"]),
        ("abcdef", ["abcd", "ef"]),
        ("abcdefgh", ["abcd", "efgh"]),
        ("abcdefghijk", ["abcd", "hijk"]),
        ("abcdefghijkl", ["abcd", "efgh", "ijkl"]),
        ("abcdefghijklmnop", ["abcd", "ghij", "mnop"]),
    ],
)
def test_top_middle_and_bottom_never_overlap(text: str, expected: list[str]) -> None:
    assert sections(text, 4) == expected
