"""Whether two programs are the same but for layout and comments."""

from __future__ import annotations

import re

from snowcoder.guided.places import LANGUAGES


def same_program(language: str, one: str, other: str) -> bool:
    """In Python the indentation of lines counts."""
    return _words(language, one) == _words(language, other)


def _words(language: str, text: str) -> list[str]:
    lexer = LANGUAGES[language].lexer
    words: list[str] = []
    at = 0
    for found in [*lexer.finditer(text), None]:
        words += _code(text[at : found.start() if found else len(text)], language)
        if found:
            words += [] if _is_comment(found[0]) else [found[0]]
            at = found.end()
    return words


def _is_comment(text: str) -> bool:
    return text.startswith(("#", "//", "/*"))


def _code(text: str, language: str) -> list[str]:
    """Words and signs; of Python, also where a line begins that is not empty."""
    pattern = r"\n[ \t]*(?=[^\s#])|\w+|[^\w\s]" if language == "python" else r"\w+|[^\w\s]"
    return re.findall(pattern, text)
