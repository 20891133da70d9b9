"""What rules count in a text."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def count_letters(text: str) -> int:
    """Characters that `str.isalpha` takes for letters."""
    return _count(text, _LETTERS, str.isalpha)


def count_digits(text: str) -> int:
    """Characters that `str.isalnum` takes, and `str.isalpha` not."""
    return _count(text, b"0123456789", lambda character: character.isalnum() and not character.isalpha())


def visible_text(html: str) -> str:
    """As StarCoder has it: without scripts and styles."""
    soup = BeautifulSoup(html, "html.parser")
    for element in soup(["script", "style"]):
        element.extract()
    return soup.get_text()


def _count(text: str, ascii_ones: bytes, test: object) -> int:
    data = text.encode()
    count = len(data) - len(data.translate(None, ascii_ones))
    if len(data) > len(text):  # what is not ASCII is looked at one by one; it is little
        count += sum(map(test, "".join(_NOT_ASCII.findall(text))))  # type: ignore[call-overload]
    return count
