"""Reach and rights: the shards of each source, and the place where checkpoints are uploaded."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

from snowcoder import readable
from snowcoder.config.schema import Config, StorageConfig
from snowcoder.doctor.finding import Finding, sources_read
from snowcoder.errors import OperationError, SnowcoderError
from snowcoder.lineage.manifest import find_manifest
from snowcoder.storage.s3 import S3Store
from snowcoder.storage.shards import list_shards
from snowcoder.storage.store import open_store
from snowcoder.storage.unreadable import HEAD, check_beginning

_ATTEMPTS = 2  # a person waits


def shard_findings(config: Config) -> Iterator[Finding]:
    for name in sources_read(config):
        url = config.index.sources[name].shards
        try:
            yield Finding("ok", "shards", f"{name}: {_look(url, impatient(config.storage))}")
        except SnowcoderError as error:
            indexed = find_manifest(Path(config.index.dir) / name) is not None
            unneeded = " (its index is there, so that training does not read them)" if indexed else ""
            yield Finding("warning" if indexed else "problem", "shards", f"{name}: {error}{unneeded}")


def upload_findings(config: Config) -> Iterator[Finding]:
    """Put, get and delete a small object where checkpoints go."""
    if config.checkpoint.upload is None:
        return
    store = S3Store(config.checkpoint.upload, impatient(config.storage))
    key, data = f"snowcoder-doctor-{uuid.uuid4().hex}", b"written by `snowcoder doctor`; may be deleted"
    store.write(key, data)
    if store.read(key) != data:
        raise OperationError(f"{store.url}/{key} does not hold what was just written there")
    try:
        store.delete(key)
    except SnowcoderError as error:
        yield Finding("warning", "upload", f"{error}; a small object stays there")
        return
    yield Finding("ok", "upload", f"{store.url}: an object was written, read and deleted")


def impatient(storage: StorageConfig) -> StorageConfig:
    return storage.model_copy(update={"attempts": min(_ATTEMPTS, storage.attempts)})


def _look(url: str, storage: StorageConfig) -> str:
    store = open_store(url, storage)
    shards = list_shards(store)
    first = shards[0]
    check_beginning(store.read_range(first, 0, min(HEAD, first.bytes)), f"{url}/{first.key}")
    size = readable.size(sum(shard.bytes for shard in shards))
    return f"{len(shards)} shard(s), {size} as stored (compressed), in {url}, listed and read from"
