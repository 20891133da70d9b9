"""A folder as a store of objects."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snowcoder.errors import OperationError
from snowcoder.lineage.digest import digest_file
from snowcoder.storage.atomic import atomic_path
from snowcoder.storage.store import LocalCopy, ObjectInfo


class DiskStore:
    def __init__(self, url: str) -> None:
        self.url = url
        self.root = Path(url)

    def list(self) -> list[ObjectInfo]:
        found = [path for path in self.root.rglob("*") if path.is_file()]
        return sorted(self._info(path) for path in found if not path.name.endswith(".tmp"))

    def stat(self, key: str) -> ObjectInfo | None:
        path = self.root / key
        return self._info(path) if path.is_file() else None

    def read(self, key: str) -> bytes:
        return (self.root / key).read_bytes()

    @contextmanager
    def local(self, info: ObjectInfo) -> Iterator[LocalCopy]:
        path = self.root / info.key
        if self.stat(info.key) != info:
            raise OperationError(f"{path}: changed or removed since it was listed")
        yield LocalCopy(path, digest_file(path))

    def write(self, key: str, data: bytes) -> None:
        with atomic_path(self.root / key) as temporary:
            temporary.write_bytes(data)

    def write_file(self, key: str, path: Path) -> None:
        with atomic_path(self.root / key) as temporary:
            shutil.copyfile(path, temporary)

    def _info(self, path: Path) -> ObjectInfo:
        stat = path.stat()
        return ObjectInfo(path.relative_to(self.root).as_posix(), stat.st_size, str(stat.st_mtime_ns))
