"""Why a shard cannot be read: it is corrupt, it is something else, or there is no memory or codec for it.

Only a corrupt shard may be skipped (`index.on_corrupt_shard=skip`): the others are whole, somewhere or somehow.
"""

from __future__ import annotations

import re

from snowcoder.errors import OperationError, SnowcoderError, UserError

HEAD = 512  # bytes that tell what a file is
_ZSTD = rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"  # the second: a skippable frame, which pzstd writes first
_BEGINS = {".parquet": rb"PAR1|PARE", ".zst": _ZSTD, ".gz": rb"\x1f\x8b"}  # PARE: encrypted
_AGAIN = "download the file again"
_STAND_INS = [  # for a file that was not brought, whatever its format
    (rb"version https://(git-lfs|hawser)\.github\.com/", "a git-lfs pointer to the file: get that by `git lfs pull`"),
    (rb"# xet version", "a Git-Xet pointer to the file: check it out with git-xet, or download it"),
    (rb"[./\w-]*/annex/objects/", "a git-annex pointer to the file: get that by `git annex get`"),
    (rb"\s*<(!doctype html|html|head|body)\b", f"an HTML page, as servers send for errors and logins: {_AGAIN}"),
    (rb"\s*<(\?xml|error)\b", f"an XML document, as object stores send for errors: {_AGAIN}"),
]
_KINDS = [
    *_STAND_INS,
    (rb"(\xef\xbb\xbf)?\s*[{\[]", f"plain JSON: compress it by `zstd`, or {_AGAIN} if it is a server's error"),
    (rb"PAR1", "parquet: rename it to .parquet"),
    (_ZSTD, "compressed by zstd: rename it to .jsonl.zst"),
    (rb"\x1f\x8b", "compressed by gzip: rename it to .jsonl.gz, if JSON lines are in it"),
    (rb"BZh[1-9]", "compressed by bzip2: compress it by zstd instead"),
    (rb"\xfd7zXZ\x00", "compressed by xz: compress it by zstd instead"),
    (rb"\x04\x22\x4d\x18", "compressed by lz4: compress it by zstd instead"),
    (rb"PK\x03\x04", "a zip archive: unpack it"),
    (rb"ARROW1", "an Arrow file: write it as parquet"),
]
_TEXT = re.compile(rb"[\t\n\r -~]+")
_MEMORY = re.compile(r"not enough memory|too much memory|out of memory|malloc|cannot allocate memory", re.IGNORECASE)
_BEYOND = re.compile(
    r"not (currently |yet )?(supported|implemented|built)|unsupported (encoding|compression|codec|type)|"
    r"unknown encoding|decrypt|dictionary mismatch",
    re.IGNORECASE,
)


class CorruptShard(OperationError):
    """A shard that cannot be read to its end."""

    def __init__(self, name: str, offset: str, reason: object) -> None:
        super().__init__(f"shard {name} is corrupt at {offset}: {' '.join(str(reason).split())}")


class UnusableShard(UserError):
    """A shard that is something else, or has other columns than are wanted. `what`: said of shards like it too."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"shard {name}{what}")
        self.what = what


def check_beginning(head: bytes, name: str) -> None:
    """`head`: the first `HEAD` bytes of a file. Raises `UnusableShard` where they are those of something else that is
    known, `CorruptShard` where they are nothing."""
    if not head:
        raise CorruptShard(name, "its first byte", "the file is empty")
    if begins_well(head, name):
        return
    if what := what_it_is(head):
        raise UnusableShard(name, f" is no {_format(name)} but {what}")
    raise CorruptShard(name, "its first byte", f"it begins {head[:24]!r}, and is no {_format(name)}")


def begins_well(head: bytes, name: str) -> bool:
    """Whether a file begins as its name says."""
    return any(name.endswith(suffix) and re.match(pattern, head) for suffix, pattern in _BEGINS.items())


def what_it_is(head: bytes) -> str | None:
    """What a file that begins so is, and what to do with it."""
    known = _first_match(_KINDS, head)
    if known is None and _TEXT.fullmatch(head):
        return f"text that begins {head[:40].decode().strip()!r}, as servers send for errors: {_AGAIN}"
    return known


def stand_in(head: bytes) -> str | None:
    """What lies in place of a file of any format, and what to do with it."""
    return _first_match(_STAND_INS, head)


def _first_match(kinds: list[tuple[bytes, str]], head: bytes) -> str | None:
    return next((what for pattern, what in kinds if re.match(pattern, head, re.IGNORECASE)), None)


def _format(name: str) -> str:
    return "parquet file" if name.endswith(".parquet") else f"{'zstd' if name.endswith('.zst') else 'gzip'} stream"


def unreadable(name: str, where: str, error: BaseException) -> SnowcoderError:
    """What `error`, raised while the shard `name` was read at `where`, is to its reader."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return OperationError(
            f"not enough memory to read shard {name} at {where} ({text or type(error).__name__}): run fewer workers, "
            "or write it with smaller row groups or a shorter window (`zstd --long=27`)"
        )
    if isinstance(error, NotImplementedError) or _BEYOND.search(text):
        return UnusableShard(
            name,
            f" cannot be read at {where}: {text}. It need not be corrupt: write it again, compressed by "
            "zstd, without encryption or dictionaries of its own",
        )
    if isinstance(error, OSError) and error.errno:
        return OperationError(f"cannot read shard {name} at {where}: {error.strerror}")
    return CorruptShard(name, where, error)
