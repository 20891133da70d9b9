"""Decompressed streams: of gzip and zstd, in as many pieces as there are, with whatever window they were written.

A stream that ends before its end is an error. Arrow sees that too, but refuses zstd's windows of more than 128 MiB and
the zeros that may follow gzip's pieces.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backports import zstd

_CHUNK = 32 << 10  # bytes read at once; with more of them the pages of fresh memory cost more than the calls
_BUFFER = 1 << 20
# Up to 2 GiB, which are taken only where a stream has such a window.
_ANY_WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 31}

ERRORS = (OSError, EOFError, MemoryError, zlib.error, zstd.ZstdError)


def open_decompressed(path: Path, name: str) -> io.BufferedReader:
    """The text of a .gz or .zst file. Reading it raises one of `ERRORS` where it is cut, damaged or too much."""
    new, padding = (_Gzip, b"\0") if name.endswith(".gz") else (_zstd, b"")
    return io.BufferedReader(_Decompressed(path, new, padding), _BUFFER)


class _Gzip:
    """zlib's decompressor, to be used as zstd's."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail or data, max_length)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data


def _zstd() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options=_ANY_WINDOW)


class _Decompressed(io.RawIOBase):
    """Pieces that lie one after the other, with `padding` between and behind them."""

    def __init__(self, path: Path, new: Callable[[], Any], padding: bytes) -> None:
        self._file, self._new, self._padding = path.open("rb", buffering=0), new, padding
        self._piece, self._input = new(), b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while not self._piece.eof or self._begin_next():
            if self._piece.needs_input and not self._input:
                self._input = self._file.read(_CHUNK)
                if not self._input:
                    raise EOFError("the file ends within its compressed stream: it is cut")
            text = self._piece.decompress(self._input, len(buffer))
            self._input = b""
            if text:
                buffer[: len(text)] = text
                return len(text)
        return 0

    def _begin_next(self) -> bool:
        rest = self._piece.unused_data.lstrip(self._padding)
        while not rest:
            if not (more := self._file.read(_CHUNK)):
                return False
            rest = more.lstrip(self._padding)
        self._piece, self._input = self._new(), rest
        return True
