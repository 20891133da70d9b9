"""The files of a partition as training documents.

Arctic-SnowCoder's choice is a document for each repository and language, its files in random order; StarCoder2's
a document for each repository; DeepSeek-Coder's one for all files of a repository that imports join.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import xxhash

from snowcoder.config.corpus_schema import GroupingConfig
from snowcoder.corpus.document import Document, size_of
from snowcoder.corpus.grouping.dependency import order_by_dependency, ordered_subgraphs
from snowcoder.corpus.grouping.shuffle import shuffled


class Group(NamedTuple):
    """What becomes one training document."""

    files: list[Document]
    repository: str
    language: str  # of most of the text


def group_key(document: Document, config: GroupingConfig) -> tuple[str, ...]:
    """Files with different keys are in different groups. Files of an unknown repository ("") have one each."""
    if not document.repository:
        return "", document.path, xxhash.xxh3_128_hexdigest(document.content.encode(errors="replace"))
    if config.by == "file":
        return document.repository, document.path
    return (document.repository, document.language) if config.by == "language" else (document.repository,)


def make_documents(rows: Iterable[tuple[int, Document]], config: GroupingConfig, seed: int) -> Iterator[Group]:
    """Groups of files, each with its id; neither the order of rows nor the other groups in the partition matter.

    A group longer than `max_mib` becomes several, split between files; a single file is never split.
    """
    limit = int(config.max_mib * (1 << 20))
    for files in _groups(rows, config):
        for ordered in _ordered(files, config, seed):
            for part in _split(ordered, limit):
                yield Group(part, part[0].repository, _main_language(part))


def _groups(rows: Iterable[tuple[int, Document]], config: GroupingConfig) -> Iterator[list[Document]]:
    groups: dict[tuple[str, ...], list[tuple[int, Document]]] = defaultdict(list)
    for number, document in rows:
        groups[group_key(document, config)].append((number, document))
    for key in sorted(groups):
        if config.by == "file" or not key[0]:
            yield from ([document] for _, document in sorted(groups[key]))
        else:
            yield [document for _, document in groups[key]]


def _ordered(files: list[Document], config: GroupingConfig, seed: int) -> Iterable[list[Document]]:
    if len(files) == 1:
        return [files]
    if config.by == "subgraph":
        subgraphs = ordered_subgraphs(files, seed)
        return subgraphs if config.order == "dependency" else [shuffled(subgraph, seed) for subgraph in subgraphs]
    return [order_by_dependency(files, seed) if config.order == "dependency" else shuffled(files, seed)]


def _split(files: list[Document], limit: int) -> Iterator[list[Document]]:
    part: list[Document] = []
    size = 0
    for document in files:
        more = size_of(document)
        if part and size + more > limit:
            yield part
            part, size = [], 0
        part.append(document)
        size += more
    yield part


def _main_language(files: list[Document]) -> str:
    sizes: Counter[str] = Counter()
    for document in files:
        sizes[document.language] += size_of(document)
    return min(sizes, key=lambda language: (-sizes[language], language))
