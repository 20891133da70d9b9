"""The store at a URL: an S3 prefix or a folder, with one interface."""

from __future__ import annotations

from snowcoder.config.schema import StorageConfig
from snowcoder.errors import UserError
from snowcoder.storage.objects import Store


def open_store(url: str, config: StorageConfig) -> Store:
    """The store at `url`: s3://bucket/prefix or a folder."""
    if url.startswith("s3://"):
        from snowcoder.storage.s3 import S3Store

        return S3Store(url, config)
    if "://" in url:
        raise UserError(f"{url}: shards lie in a folder or at s3://bucket/prefix")
    from snowcoder.storage.disk import DiskStore

    return DiskStore(url)
