"""Real source code that is on any machine that runs this: Python's library and its packages."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import xxhash

LANGUAGES = {
    ".py": "Python",
    ".pyi": "Python",
    ".pyx": "Cython",
    ".c": "C",
    ".h": "C",
    ".cc": "C++",
    ".cpp": "C++",
    ".hpp": "C++",
    ".cuh": "CUDA",
    ".cu": "CUDA",
    ".js": "JavaScript",
}
_LARGEST = 1 << 20  # larger files are data or generated


class Document(NamedTuple):
    content: str
    repository: str
    path: str
    language: str


def documents(max_bytes: int) -> Iterator[Document]:
    """Distinct UTF-8 source files, in the order of their paths, up to `max_bytes` altogether."""
    seen: set[bytes] = set()
    left = max_bytes
    roots = dict.fromkeys(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    for root in map(Path, roots):
        for path in sorted(root.rglob("*")):
            if path.suffix not in LANGUAGES or not path.is_file() or path.stat().st_size > _LARGEST:
                continue
            data = path.read_bytes()
            digest = xxhash.xxh3_128_digest(data)
            if not data or digest in seen:
                continue
            seen.add(digest)
            try:
                content = data.decode()
            except UnicodeDecodeError:
                continue
            left -= len(data)
            if left < 0:
                return
            inside = path.relative_to(root)
            yield Document(content, inside.parts[0], str(inside), LANGUAGES[path.suffix])
