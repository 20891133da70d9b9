"""A tar archive, read as a stream: members are neither extracted nor kept."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, NoReturn, cast

import pyarrow

from snowcoder.corpus.sources.paths import decode_name
from snowcoder.corpus.sources.repository import BadRepository, File, Gate

_CHUNK = 1 << 20
_HEADER_BYTES = 1 << 20  # of a member's extended header, which is held in memory
_XZ_MEMORY = 256 << 20
_EXTENDED = (*(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE), tarfile.GNUTYPE_LONGNAME, b"K")
_DAMAGED = (tarfile.TarError, pyarrow.ArrowException, lzma.LZMAError, zlib.error, OSError, EOFError, ValueError)


def tar_files(archive: IO[bytes], size: int, compression: str | None, gate: Gate) -> Iterator[File]:
    """The files of a tar archive of `size` bytes; `compression` is gzip, bz2, xz, zstd or None."""
    stream = _Metered(_decompressed(archive, compression), size, gate)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|", tarinfo=_Header, bufsize=_CHUNK) as opened:
            for member in opened:
                opened.members = []  # type: ignore[attr-defined]  # or it would remember them all
                yield from _read(opened, member, gate)
    except _DAMAGED:
        raise BadRepository("not a whole tar archive") from None


def _read(opened: tarfile.TarFile, member: tarfile.TarInfo, gate: Gate) -> Iterator[File]:
    if member.isdir():
        return
    fault = _fault(member)
    if fault:
        gate.drop(fault)
    elif path := gate.admit(decode_name(member.name.encode(errors="surrogateescape"))):
        if member.size > gate.max_file_bytes:
            yield File(path, None, "too long")
        else:
            yield File(path, cast(IO[bytes], opened.extractfile(member)).read())


def _fault(member: tarfile.TarInfo) -> str | None:
    if member.issym():
        return "symbolic link"
    if member.islnk():
        return "hard link"
    return None if member.isreg() else "device or pipe"


class _Header(tarfile.TarInfo):
    """A member's header, which may ask for no more memory than is sensible.

    A damaged one is an error: tarfile takes it for the archive's end.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError:
            raise BadRepository("not a whole tar archive") from None
        if info.size < 0 or (info.type in _EXTENDED and info.size > _HEADER_BYTES):
            raise BadRepository("a member's header is larger than 1 MiB")
        return info

    def _refuse(self, *_: Any) -> NoReturn:
        raise BadRepository("has a sparse file")

    _proc_sparse = _proc_gnusparse_10 = _refuse  # their lists of holes may be of any length


class _Metered:
    """A stream whose decompressed bytes are accounted for."""

    def __init__(self, stream: IO[bytes], archive_bytes: int, gate: Gate) -> None:
        self._stream = stream
        self._archive_bytes = archive_bytes
        self._gate = gate

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._gate.spend_on(self._archive_bytes, len(data))
        return data


def _decompressed(archive: IO[bytes], compression: str | None) -> IO[bytes]:
    if compression is None:
        return archive
    if compression == "xz":
        return cast(IO[bytes], _Xz(archive))
    # Arrow notices a truncated stream.
    return cast(IO[bytes], pyarrow.CompressedInputStream(pyarrow.PythonFile(archive, "r"), compression))


class _Xz:
    """Of the standard library's readers of .xz, the one that can be told how much memory it may take."""

    def __init__(self, archive: IO[bytes]) -> None:
        self._archive = archive
        self._decompressor = _xz()

    def read(self, size: int) -> bytes:
        while True:
            if self._decompressor.eof:  # streams may follow each other
                rest = self._decompressor.unused_data or self._archive.read(_CHUNK)
                if not rest.strip(b"\0"):
                    return b""
                self._decompressor = _xz()
            else:
                rest = self._archive.read(_CHUNK) if self._decompressor.needs_input else b""
                if self._decompressor.needs_input and not rest:
                    raise EOFError
            if data := self._decompressor.decompress(rest, size):
                return data


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
