"""The text a tokenizer is trained on: the same share of every shard, chosen by content hash.

Reading is a stream: at most one shard's part of `tokenizer.sample_mib` is in memory. A few
documents are never trained on: the report measures the tokenizer on them.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NamedTuple

import xxhash

from snowcoder.config.schema import Config
from snowcoder.progress import bar
from snowcoder.storage.objects import ObjectInfo
from snowcoder.storage.shards import list_shards, read_shard
from snowcoder.storage.store import open_store
from snowcoder.storage.unreadable import CorruptShard

HELD_OUT = 20  # one document in this many, by content: no copy of it is trained on
HELD_OUT_BYTES = 512 << 10  # kept of each language for the report


class TextDocument(NamedTuple):
    hash: int
    position: int  # in its shard
    bytes: int
    text: str
    language: str  # "" and below: not known
    repository: str


class TrainingText:
    """Iterate over it once to get the training texts; its attributes then say what was read."""

    def __init__(self, config: Config) -> None:
        """Lists the shards. Raises UserError where there are none."""
        self.store = open_store(config.tokenizer.shards, config.storage)
        self.shards = list_shards(self.store)
        self.digests: dict[str, str] = {}  # shard -> digest of its file
        self.held_out: dict[str, list[str]] = defaultdict(list)  # language -> texts
        self.counts: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()  # reason -> documents
        self.without: Counter[str] = Counter()  # column -> documents that lack it
        self.skipped: dict[str, str] = {}  # corrupt shard -> what is wrong with it
        self.repositories: set[str] = set()  # of the documents trained on
        self._on_corrupt_shard = config.index.on_corrupt_shard
        self._columns = config.index.columns
        self._max_bytes = int(config.index.max_document_mib * 2**20)
        self._budget = config.tokenizer.sample_mib << 20
        self._held_out_bytes: Counter[str] = Counter()

    def __iter__(self) -> Iterator[str]:
        total = sum(info.bytes for info in self.shards)
        with bar("reading shards", total, "B") as progress:
            for info in self.shards:
                for document in self._of_shard(info, self._budget * info.bytes // total):
                    self.counts.update(documents_trained_on=1, bytes_trained_on=document.bytes)
                    self.repositories.add(document.repository)
                    yield document.text
                progress.update(info.bytes)

    def _of_shard(self, info: ObjectInfo, budget: int) -> list[TextDocument]:
        try:
            return self._choose(info, budget)
        except CorruptShard as error:
            if self._on_corrupt_shard == "error":
                raise
            self.skipped[info.key] = str(error)
            return []

    def _choose(self, info: ObjectInfo, budget: int) -> list[TextDocument]:
        """The documents of smallest hash that fit into `budget` bytes, in the shard's order."""
        heap: list[tuple[int, int, TextDocument]] = []  # the largest hash on top
        size = 0
        for document in self._documents(info):
            if document.hash % HELD_OUT == 0:
                self._hold_out(document)
                continue
            heapq.heappush(heap, (-document.hash, document.position, document))
            size += document.bytes
            while size > budget:
                size -= heapq.heappop(heap)[2].bytes
        return sorted((entry[2] for entry in heap), key=attrgetter("position"))

    def _documents(self, info: ObjectInfo) -> Iterator[TextDocument]:
        position = 0
        with self.store.local(info) as copy:
            self.digests[info.key] = copy.digest
            for batch in read_shard(copy.path, info.key, self._columns, self._max_bytes):
                self.dropped.update(batch.dropped)
                self.without.update(batch.without())
                rows = zip(batch.contents, batch.languages, batch.repositories, strict=True)
                for text, language, repository in rows:
                    data = text.encode()
                    position += 1
                    self.counts.update(documents_read=1, bytes_read=len(data))
                    content_hash = xxhash.xxh3_64_intdigest(data)
                    yield TextDocument(content_hash, position, len(data), text, language or "", repository or "")

    def _hold_out(self, document: TextDocument) -> None:
        size = self._held_out_bytes[document.language] + document.bytes
        if size <= HELD_OUT_BYTES:
            self._held_out_bytes[document.language] = size
            self.held_out[document.language].append(document.text)

    def holds(self, shards: list[dict[str, Any]]) -> bool:
        """Whether the bytes are those of `inputs`: which shards, of what sizes, is looked at before they are read."""
        theirs = {shard["name"]: shard for shard in shards}
        if {name: shard["bytes"] for name, shard in theirs.items()} != {info.key: info.bytes for info in self.shards}:
            return False
        with bar("looking at touched shards", sum(info.bytes for info in self.shards), "B") as progress:
            for info in self.shards:
                with self.store.local(info) as copy:
                    if copy.digest != theirs[info.key]["digest"]:
                        return False
                progress.update(info.bytes)
        return True

    def inputs(self) -> list[dict[str, Any]]:
        """The shards that were read, as a manifest names them."""
        return [{"name": info.key, "bytes": info.bytes, "digest": self.digests[info.key]} for info in self.shards]

    def tags(self) -> dict[str, str]:
        """What tells, without reading a shard again, whether it is still the same."""
        return {info.key: info.tag for info in self.shards}
