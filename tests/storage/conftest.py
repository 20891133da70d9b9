"""Stores to test against: a folder, and a fresh prefix on a real S3 server."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_proxy import FaultyProxy, faulty_proxy

from snowcoder.config.schema import StorageConfig
from snowcoder.storage.objects import Store
from snowcoder.storage.s3 import S3Store
from snowcoder.storage.store import open_store


@pytest.fixture
def s3_url(s3: tuple[StorageConfig, str]) -> str:
    return f"{s3[1]}/{uuid.uuid4().hex[:8]}"


@pytest.fixture
def s3_store(s3: tuple[StorageConfig, str], s3_url: str) -> S3Store:
    return S3Store(s3_url, s3[0])


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return request.getfixturevalue("s3_store")
    config = request.getfixturevalue("s3")[0]
    return open_store(str(tmp_path / "store"), config)


@pytest.fixture
def proxy(s3: tuple[StorageConfig, str]) -> Iterator[FaultyProxy]:
    with faulty_proxy(s3[0].endpoint) as running:
        yield running


@pytest.fixture
def proxied(s3: tuple[StorageConfig, str], s3_url: str, proxy: FaultyProxy) -> S3Store:
    """The same objects as `s3_store`, read through `proxy`."""
    return S3Store(s3_url, s3[0].model_copy(update={"endpoint": proxy.endpoint}))
