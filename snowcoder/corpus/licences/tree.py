"""Licences of a repository's folders."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from snowcoder.corpus.licences.declared import metadata_licence
from snowcoder.corpus.licences.expressions import parts
from snowcoder.corpus.licences.restrictions import UNKNOWN, restrictions
from snowcoder.corpus.licences.texts import detect_licences

_POINTER = 500  # characters; a text as short names a licence that lies beside it
_POINTS_UP = re.compile(
    r"(?:^|[\s(\"'`])(?:\.\./)+(?:un)?(?:licen[cs]e|copying)|\b(?:root|top|parent)\b", re.IGNORECASE
)
_UP, _BESIDE_IT = "../", ""  # what stands for a pointer among texts
_TEXTS = re.compile(r"((un)?licen[cs]es?|copying|(mit|apache|bsd|gpl)[-_.]licen[cs]e)([-_.][\w.-]*)?$", re.IGNORECASE)
_NOT_TEXTS = re.compile(
    r"\.(py|pyi|c|h|cc|cpp|js|ts|tsx|go|rs|java|rb|php|cs|sh|json|yml|yaml|toml|svg|png)$", re.IGNORECASE
)
_CREDITS = re.compile(r"(authors|contributors|credits|maintainers|notices?|readme|thanks)\b", re.IGNORECASE)
_BESIDE = re.compile(r"(^|/)([^/]+\.dist-info|licen[cs]es)$", re.IGNORECASE)


def is_licence_text(path: str) -> bool:
    """Whether a file is, by its name or its folder's, a licence's text: LICENSE.md, COPYING, LICENSES/MIT.txt."""
    file = PurePosixPath(path)
    if _NOT_TEXTS.search(file.name) or _CREDITS.match(file.name):
        return False
    among = file.parent.name.lower() in ("licenses", "licences") and file.suffix in ("", ".txt", ".md")
    return among or _TEXTS.match(file.name) is not None


class LicenceTree:
    """Licences of one repository's folders: the nearest folder up the tree that has any tells a file's."""

    def __init__(self) -> None:
        self._texts: dict[str, set[str]] = {}
        self._declared: dict[str, set[str]] = {}

    def add(self, path: str, text: str | None) -> None:
        """A licence's text or a package's description; None where it could not be read."""
        folder = _folder(path)
        if is_licence_text(path):
            known = set(detect_licences(text)) if text is not None else set()
            self._texts.setdefault(folder, set()).update(known or {_unknown(text)})
        elif text is not None and (declared := metadata_licence(path, text)):
            self._declared.setdefault(folder, set()).add(declared)

    def of(self, path: str) -> tuple[str, ...]:
        """All that apply to a file, so each must be acceptable; empty where there is no licence."""
        pointer: tuple[str, ...] = ()
        for parent in PurePosixPath(path).parents:
            folder = "" if str(parent) == "." else str(parent)
            if found := self._at(folder):
                return found
            if folder in self._texts:
                pointer = (UNKNOWN,)
        return pointer

    def _at(self, folder: str) -> tuple[str, ...]:
        texts, declared = self._texts.get(folder, set()), self._declared.get(folder, set())
        known = texts - {_UP, _BESIDE_IT}  # a pointer counts only where what it points to is not there
        if texts:  # "see the file" names none, and the file is here
            declared = declared - {UNKNOWN}
        # A choice, "MIT OR Apache-2.0", is in the description alone: the texts of both lie side by side.
        known = declared if declared and _named(known) <= _named(declared) else known | declared
        return tuple(sorted(known or ({UNKNOWN} if _BESIDE_IT in texts else ())))


def _unknown(text: str | None) -> str:
    """What stands for a text that no licence is known in: a short one may point to another."""
    if text is None or len(text) >= _POINTER:
        return UNKNOWN
    return _UP if _POINTS_UP.search(text) and not restrictions(text) else _BESIDE_IT


def _named(expressions: set[str]) -> frozenset[str]:
    return frozenset().union(*map(parts, expressions))


def _folder(path: str) -> str:
    """The folder whose files a licence covers: that of a package, not its folder of licences or of metadata."""
    folder = path.rpartition("/")[0]
    while _BESIDE.search(folder):
        folder = folder.rpartition("/")[0]
    return folder
