"""A source file on its way through the corpus stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa


class Document(NamedTuple):
    content: str
    repository: str  # "": the shard does not say
    path: str  # in the repository; "": the shard does not say
    language: str  # as `languages` spells it
    licences: tuple[str, ...]  # SPDX identifiers


DOCUMENTS = ".documents.parquet"  # suffix of a filtered shard's documents
DOCUMENT_SCHEMA = pa.schema(
    {
        "id": pa.uint64(),  # the shard's number, times 2**32, plus its place among the shard's kept documents
        "content": pa.large_string(),
        "repository": pa.string(),
        "path": pa.string(),
        "language": pa.string(),
        "licences": pa.list_(pa.string()),
    }
)


def size_of(document: Document) -> int:
    """Bytes of its content."""
    content = document.content
    return len(content) if content.isascii() else len(content.encode())


def documents_table(documents: list[Document], ids: Iterable[int]) -> pa.Table:
    columns = [ids, *(zip(*documents, strict=True) if documents else [()] * len(Document._fields))]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, DOCUMENT_SCHEMA, strict=True)]
    return pa.table(arrays, DOCUMENT_SCHEMA)


def documents_of(table: pa.Table) -> Iterator[tuple[int, Document]]:
    """Ids and documents of such rows."""
    columns = [table[name].to_pylist() for name in DOCUMENT_SCHEMA.names]
    for number, content, repository, path, language, licences in zip(*columns, strict=True):
        yield number, Document(content, repository, path, language, tuple(licences))
