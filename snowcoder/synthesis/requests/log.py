"""The log of a work item's requests and answers: appended to, never changed.

A line is a checksum and a JSON record: `ask` before a request is sent first, then `answer` as the server gave it or
`refused`; `failed` for each attempt without an answer. Only answers are for good: whoever opens the log again asks
again for what was refused. A line is written at once, so that it outlives the process; who
waits for `append` goes on when it is on disk too, so that what was made of an answer never outlives the answer. Lines
that come within a few hundredths of a second share an fsync.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import xxhash

from snowcoder.answers.read import usage_of
from snowcoder.errors import OperationError

_CHECKSUM = 16  # characters
_GATHER = 0.05  # seconds in which answers come that share an fsync: little beside the time that a model takes


class AnswerLog:
    """Opens a log, and drops what a power failure left of its last lines. Raises OperationError where it is damaged."""

    def __init__(self, path: Path, secret: str | None = None) -> None:
        self.path, self._secret = path, secret or ""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.answers: dict[str, Any] = {}  # key -> as the server gave it
        self.counts: Counter[str] = Counter()  # records by kind, failures by what failed
        self.usage: Counter[str] = Counter()  # tokens, also of what was no answer
        self._waiting: list[asyncio.Future[None]] = []
        self._syncing: asyncio.Task[None] | None = None
        self._read()

    async def append(self, record: dict[str, Any]) -> None:
        """Returns when the record is on disk."""
        self.note(record)
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._sync())
        await done

    def note(self, record: dict[str, Any]) -> None:
        """Write without waiting for the disk."""
        if self._secret:
            record = {**record, **self._without_the_secret(record)}
        data = orjson.dumps(record)
        line = xxhash.xxh3_64_hexdigest(data).encode() + b" " + data + b"\n"
        while line:
            line = line[os.write(self._file, line) :]
        self._take(record)

    def _without_the_secret(self, record: dict[str, Any]) -> dict[str, str]:
        """What a server says of a failure: some quote the key when it is wrong. Answers stay as they are."""
        told = {name: record[name] for name in ("detail", "refused") if name in record}
        return {name: text.replace(self._secret, "[API key]") for name, text in told.items()}

    async def _sync(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHER)
            waiting, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(os.fsync, self._file)
            except OSError as error:
                for done in waiting:
                    if not done.done():
                        done.set_exception(error)
                continue
            for done in waiting:
                if not done.done():
                    done.set_result(None)

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)

    def _take(self, record: dict[str, Any]) -> None:
        kind = next(kind for kind in ("ask", "answer", "refused", "failed") if kind in record)
        self.counts[kind if kind != "failed" else f"failed: {record['failed']}"] += 1
        if kind == "answer":
            self.answers[record["key"]] = record["answer"]
        self.usage.update(usage_of(record["answer"] if kind == "answer" else record))

    def _read(self) -> None:
        """A bad line with none after it is torn; one before a good line is damage that nobody may pass over."""
        offset, torn = 0, None
        with self.path.open("rb") as file:
            for line in file:
                record = _parse(line)
                if record is None:
                    torn = offset if torn is None else torn
                elif torn is not None:
                    raise OperationError(
                        f"{self.path} is damaged at byte {torn}: restore it, or remove it and pay for its answers again"
                    )
                else:
                    self._take(record)
                offset += len(line)
        if torn is not None:
            os.ftruncate(self._file, torn)


def _parse(line: bytes) -> dict[str, Any] | None:
    data = line[_CHECKSUM + 1 : -1]
    if not line.endswith(b"\n") or line[:_CHECKSUM] != xxhash.xxh3_64_hexdigest(data).encode():
        return None
    record: dict[str, Any] = orjson.loads(data)
    return record
