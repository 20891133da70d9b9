"""Objects of a store: what is known of each, and what every store can do with them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol


class ObjectInfo(NamedTuple):
    key: str  # relative to the store's URL
    bytes: int
    tag: str  # changes when the object does: the ETag, or the time of modification on disk


class LocalCopy(NamedTuple):
    """An object as a file on this machine, whole."""

    path: Path
    digest: str


class Store(Protocol):
    url: str

    def list(self) -> list[ObjectInfo]:
        """All objects, sorted by key."""

    def stat(self, key: str) -> ObjectInfo | None:
        """One object, or None where there is none."""

    def read(self, key: str) -> bytes:
        """A small object, whole."""

    def read_range(self, info: ObjectInfo, first: int, last: int) -> bytes:
        """The bytes of an object from `first` to before `last`, of which no digest is checked."""

    def local(self, info: ObjectInfo) -> AbstractContextManager[LocalCopy]:
        """The object as a local file for as long as the context lasts, in bounded memory.

        Raises `OperationError` if it is no longer the object that `info` describes.
        """

    def write(self, key: str, data: bytes) -> None:
        """Put an object; readers see the old one or the new one, never a part."""

    def write_file(self, key: str, path: Path) -> None:
        """Like `write`, from a file of any size."""

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
