"""Which file of a repository a path in an import means."""

from __future__ import annotations

import functools
import posixpath
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable

_DEEPEST = 12  # parts of a path that an import can name; bounds what paths of thousands of parts cost


class Suffixes:
    """Paths by their last parts."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: dict[str, list[str]] = defaultdict(list)
        for path in sorted(paths):
            parts = path.split("/")[-_DEEPEST:]
            for start in range(len(parts)):
                self._paths["/".join(parts[start:])].append(path)

    def __contains__(self, suffix: str) -> bool:
        return suffix in self._paths

    def nearest(self, suffix: str, beside: str) -> str | None:
        """Of the paths that end so, the one that has the longest beginning in common with `beside`."""
        paths = self._paths.get(suffix)
        if paths is None:
            return None
        place = bisect(paths, beside)  # in a sorted list it is one of the two neighbours
        return max(paths[max(0, place - 1) : place + 1], key=lambda path: len(posixpath.commonprefix([path, beside])))


class Paths:
    def __init__(self, paths: list[str]) -> None:
        self.files: dict[str, int] = {}
        self.folders: dict[str, list[int]] = defaultdict(list)
        for number, path in enumerate(paths):
            self.files.setdefault(path, number)
            self.folders[posixpath.dirname(path)].append(number)

    @functools.cached_property
    def suffixes(self) -> Suffixes:
        return Suffixes(self.files)

    @functools.cached_property
    def folder_suffixes(self) -> Suffixes:
        return Suffixes(self.folders)

    def first(self, paths: Iterable[str]) -> list[int]:
        """The first of these that exists."""
        return next(([self.files[path]] for path in paths if path in self.files), [])

    def ending(self, suffixes: Iterable[str], beside: str) -> list[int]:
        """The nearest file that ends in the first of these that any file ends in."""
        found = (self.suffixes.nearest(suffix, beside) for suffix in suffixes)
        return next(([self.files[path]] for path in found if path), [])


def join_path(folder: str, path: str) -> str | None:
    """The path relative to a folder, without `.` and `..`; None outside of the repository."""
    joined = posixpath.normpath(posixpath.join(folder, path.lstrip("/")))
    if joined == ".." or joined.startswith("../"):
        return None
    return "" if joined == "." else joined
