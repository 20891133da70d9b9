"""What an S3 server says that an object's bytes come to, and what the bytes of a file come to."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import awscrt.checksums  # type: ignore[import-untyped]
import xxhash

_CHUNK = 16 << 20


class _Hash(Protocol):
    def update(self, data: memoryview | bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, function: Callable[[Any, int], int], width: int) -> None:
        self._function, self._width, self._value = function, width, 0

    def update(self, data: memoryview | bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


_HASHES: dict[str, Callable[[], _Hash]] = {  # in the order of their speed
    "CRC64NVME": lambda: _Crc(awscrt.checksums.crc64nvme, 8),
    "CRC32C": lambda: _Crc(awscrt.checksums.crc32c, 4),
    "CRC32": lambda: _Crc(zlib.crc32, 4),
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
    "MD5": lambda: hashlib.md5(usedforsecurity=False),
}


class Checksum(NamedTuple):
    """Of the whole object, or, where `parts` is above 0, of the checksums of the parts it was uploaded in."""

    algorithm: str
    value: bytes
    parts: int


def promised(head: dict[str, Any]) -> Checksum | None:
    """The checksum in the answer to a HEAD request, or None where it has none that can be relied on."""
    for algorithm in _HASHES:
        if text := head.get(f"Checksum{algorithm}"):
            value, _, parts = text.partition("-")
            return Checksum(algorithm, base64.b64decode(value), int(parts or 0))
    return _of_etag(head)


def _of_etag(head: dict[str, Any]) -> Checksum | None:
    """It is an MD5, unless the object is encrypted with a key of the user's own."""
    if head.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in head:
        return None
    found = re.fullmatch(r'"?([0-9a-f]{32})(?:-(\d+))?"?', head.get("ETag", ""))
    return Checksum("MD5", bytes.fromhex(found[1]), int(found[2] or 0)) if found else None


class Digests(NamedTuple):
    ours: str  # xxh3-128, as in manifests
    value: bytes | None  # comparable to that of the checksum asked for


def digests(path: Path, checksum: Checksum | None, part_sizes: Iterable[int]) -> Digests:
    """Both digests of a file, read once. `part_sizes` add up to its size."""
    ours, buffer, of_parts = xxhash.xxh3_128(), memoryview(bytearray(_CHUNK)), []
    new = _HASHES[checksum.algorithm] if checksum else None
    with path.open("rb", buffering=0) as file:
        for size in part_sizes:
            theirs = new() if new else None
            while size and (count := file.readinto(buffer[:size])):
                ours.update(buffer[:count])
                if theirs:
                    theirs.update(buffer[:count])
                size -= count
            of_parts += [theirs.digest()] if theirs else []
    if new is None or checksum is None:
        return Digests(ours.hexdigest(), None)
    if not checksum.parts:
        return Digests(ours.hexdigest(), of_parts[0])
    whole = new()
    whole.update(b"".join(of_parts))
    return Digests(ours.hexdigest(), whole.digest())
