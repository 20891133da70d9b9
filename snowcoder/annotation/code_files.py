"""The files that documents of clean shards consist of: what the annotator reads, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from snowcoder.storage.shards import Batch


class CodeFile(NamedTuple):
    """Of a file. Empty texts stand for what its shard does not say."""

    content: str
    repository: str
    path: str
    language: str


class DocumentFiles(NamedTuple):
    """A document with its files, in their order."""

    content: str
    files: list[CodeFile]


def files_of_batch(batch: Batch) -> Iterator[DocumentFiles]:
    """The documents of a batch, each cut into its files."""
    columns = (batch.contents, batch.repositories, batch.paths, batch.languages, batch.files)
    for content, *about, files in zip(*columns, strict=True):
        repository, path, language = (text or "" for text in about)
        if files is None:
            yield DocumentFiles(content, [CodeFile(content, repository, path, language)])
            continue
        pieces = zip(files.paths, files.lengths, accumulate(files.lengths), strict=True)
        yield DocumentFiles(
            content,
            [CodeFile(content[end - length : end], repository, path, language) for path, length, end in pieces],
        )
