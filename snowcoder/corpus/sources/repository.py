"""What every kind of repository has in common, and the limits within which an untrusted one is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from snowcoder.config.corpus_schema import RepositoriesConfig
from snowcoder.corpus.sources.paths import is_hidden, safe_path
from snowcoder.storage.digest import digest_bytes

_RATIO_FROM = 64 << 20  # bytes; a small archive may well hold one file of many spaces


class File(NamedTuple):
    path: str  # in the repository, safe to join to a folder
    data: bytes | None  # None: there, and not read
    fault: str | None = None  # why not


class BadRepository(Exception):
    """A repository that is left out as a whole: a part of one could have lost its licence."""


class Repository(Protocol):
    name: str
    revision: str  # of what `files` reads: a commit or an archive's digest; "" where there is none

    def files(self, gate: Gate) -> Iterator[File]:
        """The files that `gate` admits, in an order that depends on the repository alone.

        Raises `BadRepository` where it cannot be read to its end, or is over a limit.
        """


class Gate:
    """Decides entry by entry what of one repository is read, and counts by reason what is not."""

    def __init__(self, limits: RepositoriesConfig, wanted: Callable[[str], bool], dropped: Counter[str]) -> None:
        self.limits = limits
        self.max_file_bytes = int(limits.max_file_mib * 2**20)
        self._wanted = wanted
        self._dropped = dropped
        self._seen: set[str] = set()
        self._entries = 0
        self._bytes = 0

    def drop(self, reason: str) -> None:
        """Count an entry that is not read."""
        self._count()
        self._dropped[reason] += 1

    def admit(self, name: str) -> str | None:
        """The path of an entry that shall be read; None for one that is counted and passed over."""
        path = safe_path(name)
        fault = self._fault(path)
        if fault:
            self.drop(fault)
            return None
        self._count()
        return path

    def spend(self, size: int) -> None:
        """Account for bytes that were read or decompressed."""
        self._bytes += size
        if self._bytes > self.limits.max_gib * 2**30:
            raise BadRepository(f"larger than {self.limits.max_gib:g} GiB")

    def spend_on(self, archive_bytes: int, size: int) -> None:
        """Like `spend`, for what was decompressed from an archive of `archive_bytes`."""
        self.spend(size)
        if self._bytes > max(_RATIO_FROM, self.limits.max_ratio * archive_bytes):
            raise BadRepository(f"decompresses to more than {self.limits.max_ratio:g} times its size")

    def _count(self) -> None:
        self._entries += 1
        if self._entries > self.limits.max_files:
            raise BadRepository(f"more than {self.limits.max_files:,} entries")

    def _fault(self, path: str | None) -> str | None:
        if path is None:
            return "unsafe path"
        if is_hidden(path):
            return "in a hidden folder"
        if not self._wanted(path):
            return "other language"
        # Short digests: a repository of a million files is one set of them. Names that differ in case are two files.
        before = len(self._seen)
        self._seen.add(digest_bytes(path.encode())[:16])
        return "path seen before" if len(self._seen) == before else None
