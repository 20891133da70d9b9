"""A source file on its way through the corpus stage."""

from __future__ import annotations

from typing import NamedTuple


class Document(NamedTuple):
    content: str
    repository: str
    path: str  # in the repository
    language: str  # as `languages.py` spells it
    licences: tuple[str, ...]  # SPDX identifiers
