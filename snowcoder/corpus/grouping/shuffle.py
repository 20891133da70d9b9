"""Files in random order: by a hash of each, so that it does not matter how they came in."""

from __future__ import annotations

from collections.abc import Iterable

import xxhash

from snowcoder.corpus.document import Document


def shuffled(files: Iterable[Document], seed: int) -> list[Document]:
    def place(document: Document) -> tuple[int, Document]:
        name = f"{document.repository}\0{document.path}".encode(errors="replace")
        return xxhash.xxh3_64_intdigest(name, seed), document  # two files of one path: by what they hold

    return sorted(files, key=place)
