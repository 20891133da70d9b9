"""Records on disk, written in any order and read back in that of their keys. In memory: 16 bytes a record."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator
from types import TracebackType

import numpy as np


class Spool:
    """Its file lies where TMPDIR says, as large as the records, and has no name."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="snowcoder-")  # noqa: SIM115
        self._keys = array("Q")
        self._ends = array("Q")

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: int, record: bytes) -> None:
        self._file.write(record)
        self._keys.append(key)
        self._ends.append(self._start(len(self._ends)) + len(record))

    def cut(self, length: int) -> None:
        """Forget all records after the first `length`."""
        self._file.seek(self._start(length))
        self._file.truncate()
        del self._keys[length:], self._ends[length:]

    def sorted(self) -> Iterator[bytes]:
        self._file.flush()
        descriptor = self._file.fileno()
        for number in np.argsort(np.frombuffer(self._keys, dtype=np.uint64), kind="stable"):
            start, end = self._start(number), self._ends[number]
            yield os.pread(descriptor, end - start, start)

    def _start(self, number: int) -> int:
        return self._ends[number - 1] if number else 0
