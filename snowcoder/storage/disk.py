"""A folder as a store of objects."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snowcoder.errors import OperationError
from snowcoder.storage.atomic import atomic_path
from snowcoder.storage.digest import digest_file
from snowcoder.storage.objects import LocalCopy, ObjectInfo


class DiskStore:
    def __init__(self, url: str) -> None:
        self.url = url
        self.root = Path(url)

    def list(self) -> list[ObjectInfo]:
        if not self.root.is_dir():
            return []
        walk = os.walk(self.root, onerror=_unreadable)
        found = [Path(folder, name) for folder, _, names in walk for name in names if not name.endswith(".tmp")]
        return sorted(self._info(path) for path in found if path.is_file())

    def stat(self, key: str) -> ObjectInfo | None:
        path = self.root / key
        return self._info(path) if path.is_file() else None

    def read(self, key: str) -> bytes:
        with _failing_as("read", self.root / key):
            return (self.root / key).read_bytes()

    def read_range(self, info: ObjectInfo, first: int, last: int) -> bytes:
        path = self.root / info.key
        with _failing_as("read", path), path.open("rb") as file:
            file.seek(first)
            return file.read(last - first)

    @contextmanager
    def local(self, info: ObjectInfo) -> Iterator[LocalCopy]:
        path = self.root / info.key
        if self.stat(info.key) != info:
            raise OperationError(f"{path}: changed or removed since it was listed")
        with _failing_as("read", path):
            digest = digest_file(path)
        yield LocalCopy(path, digest)

    def write(self, key: str, data: bytes) -> None:
        with _failing_as("write", self.root / key), atomic_path(self.root / key) as temporary:
            temporary.write_bytes(data)

    def write_file(self, key: str, path: Path) -> None:
        with _failing_as("write", self.root / key), atomic_path(self.root / key) as temporary:
            shutil.copyfile(path, temporary)

    def delete(self, key: str) -> None:
        with _failing_as("remove", self.root / key):
            (self.root / key).unlink(missing_ok=True)

    def _info(self, path: Path) -> ObjectInfo:
        stat = path.stat()
        return ObjectInfo(path.relative_to(self.root).as_posix(), stat.st_size, str(stat.st_mtime_ns))


def _unreadable(error: OSError) -> None:
    raise OperationError(f"cannot list {error.filename}: {error.strerror}")


@contextmanager
def _failing_as(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OperationError(f"cannot {verb} {path}: {error.strerror}") from None
