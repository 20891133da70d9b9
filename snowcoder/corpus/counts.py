"""What the corpus stage counts: files and bytes, by what became of them and by language."""

from __future__ import annotations

from collections import Counter
from typing import Any

KEPT = "kept"


class Counts:
    """(what, language) -> files and bytes. `what` is a filter, or `kept`."""

    def __init__(self) -> None:
        self.files: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()

    def add(self, what: str, language: str, size: int, files: int = 1) -> None:
        self.files[what, language] += files
        self.bytes[what, language] += size

    def merge(self, rows: list[list[Any]]) -> None:
        for what, language, files, size in rows:
            self.add(what, language, size, files)

    def rows(self) -> list[list[Any]]:
        """As JSON has it: [what, language, files, bytes]."""
        return [[*key, self.files[key], self.bytes[key]] for key in sorted(self.files)]

    def forget(self, what: str) -> None:
        for key in [key for key in self.files if key[0] == what]:
            del self.files[key], self.bytes[key]

    def files_by_rule(self) -> dict[str, int]:
        """Files of all languages, the most first."""
        sums: Counter[str] = Counter()
        for (what, _), count in self.files.items():
            sums[what] += count
        return dict(sums.most_common())

    def by_language(self, what: str) -> dict[str, int]:
        """Files that became `what`, the most frequent language first."""
        return dict(Counter({language: n for (key, language), n in self.files.items() if key == what}).most_common())

    @property
    def dropped(self) -> int:
        """Files that did not become `kept`."""
        return self.files.total() - self.total(KEPT)[0]

    def total(self, what: str) -> tuple[int, int]:
        """Files and bytes."""
        keys = [key for key in self.files if key[0] == what]
        return sum(self.files[key] for key in keys), sum(self.bytes[key] for key in keys)
