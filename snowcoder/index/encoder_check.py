"""Some documents of a source, on which encoders are checked before they are trusted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from snowcoder.config.schema import IndexConfig
from snowcoder.index.shard import ShardToIndex
from snowcoder.storage.objects import Store
from snowcoder.storage.shards import read_shard
from snowcoder.storage.unreadable import CorruptShard

_SHARDS = 4
_DOCUMENTS = 64  # of each shard
_CHARACTERS = 4096  # of each document: the reference encodes about 1 MB/s


def first_texts(store: Store, shards: list[ShardToIndex], index: IndexConfig) -> list[str]:
    """Beginnings of the first documents of a few shards spread over `shards`."""
    texts: list[str] = []
    for shard in shards[:: -(-len(shards) // _SHARDS)]:
        with store.local(shard.info) as local:
            texts += _of_shard(local.path, shard.info.key, index)
    return texts


def _of_shard(path: Path, name: str, index: IndexConfig) -> list[str]:
    texts: list[str] = []
    with suppress(CorruptShard):  # reported by the worker that indexes the shard
        for batch in read_shard(path, name, index.columns, int(index.max_document_mib * 2**20)):
            texts += (text[:_CHARACTERS] for text in batch.contents[:_DOCUMENTS])
            if len(texts) >= _DOCUMENTS:
                break
    return texts[:_DOCUMENTS]
