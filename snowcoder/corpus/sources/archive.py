"""An archive as a repository, on disk or in S3. Archives inside it are not opened."""

from __future__ import annotations

from collections.abc import Iterator

from snowcoder.corpus.sources.repository import File, Gate
from snowcoder.corpus.sources.tars import tar_files
from snowcoder.corpus.sources.zips import zip_files
from snowcoder.storage.objects import ObjectInfo, Store

_TARS = {
    ".tar": None,
    ".tar.gz": "gzip",
    ".tgz": "gzip",
    ".tar.bz2": "bz2",
    ".tar.xz": "xz",
    ".tar.zst": "zstd",
}
SUFFIXES = (".zip", ".whl", *_TARS)


def archive_suffix(name: str) -> str | None:
    """The suffix that says which kind of archive a file is, or None."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


class Archive:
    def __init__(self, name: str, store: Store, info: ObjectInfo) -> None:
        self.name = name
        self.revision = ""
        self._store = store
        self._info = info

    def files(self, gate: Gate) -> Iterator[File]:
        suffix = archive_suffix(self._info.key)
        with self._store.local(self._info) as copy, copy.path.open("rb") as archive:
            self.revision = copy.digest
            if suffix in _TARS:
                yield from tar_files(archive, self._info.bytes, _TARS[suffix], gate)
            else:
                yield from zip_files(archive, self._info.bytes, gate)
