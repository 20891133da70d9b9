"""A zip archive, as wheels are."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from snowcoder.corpus.sources.repository import BadRepository, File, Gate

_DIRECTORY_BYTES = 32 << 20  # of the list of entries, which is held in memory; 300,000 entries or so
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for any amount of memory
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, NotImplementedError, ValueError)


def zip_files(archive: IO[bytes], size: int, gate: Gate) -> Iterator[File]:
    """The files of a zip archive of `size` bytes."""
    try:
        _check_directory(archive)
        opened = zipfile.ZipFile(archive)
    except _DAMAGED:
        raise BadRepository("not a whole zip archive") from None
    for info in opened.infolist():
        fault = _fault(info)
        if fault:
            gate.drop(fault)
        elif not info.is_dir() and (path := gate.admit(info.orig_filename)):
            file = _read(opened, info, path, gate)
            gate.spend_on(size, len(file.data or b""))
            yield file


def _check_directory(archive: IO[bytes]) -> None:
    end = zipfile._EndRecData(archive)  # type: ignore[attr-defined]  # as ZipFile will read it
    if end and end[zipfile._ECD_SIZE] > _DIRECTORY_BYTES:  # type: ignore[attr-defined]
        raise BadRepository(f"its list of entries is larger than {_DIRECTORY_BYTES >> 20} MiB")


def _fault(info: zipfile.ZipInfo) -> str | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "symbolic link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "device or pipe"
    if info.flag_bits & 0x1:
        return "encrypted"
    return None if info.compress_type in _METHODS else "other compression"


def _read(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, gate: Gate) -> File:
    if info.file_size > gate.max_file_bytes:
        return File(path, None, "too long")
    try:
        return File(path, opened.read(info))  # never more than it says it has
    except _DAMAGED:
        return File(path, None, "damaged")
