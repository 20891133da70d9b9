"""Objects on disk and on a real S3 server: whole, in bounded memory, and the ones that were listed."""

import os
import random
import tracemalloc
from pathlib import Path

import pytest
from faulty_proxy import Fault, FaultyProxy

from snowcoder.config.schema import StorageConfig
from snowcoder.errors import OperationError, UserError
from snowcoder.storage.digest import digest_bytes, digest_file
from snowcoder.storage.objects import Store
from snowcoder.storage.s3 import S3Store
from snowcoder.storage.store import open_store

MIB = 1 << 20


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def fetched(store: Store, key: str) -> bytes:
    info = store.stat(key)
    assert info is not None
    with store.local(info) as copy:
        data = copy.path.read_bytes()
        assert copy.digest == digest_bytes(data)
    return data


@pytest.mark.parametrize("size", [0, 1, MIB, 3 * MIB, 9 * MIB + 17])
def test_an_object_is_read_whole_whatever_its_size(store: Store, size: int) -> None:
    store.write("folder/object.bin", noise(size))
    assert fetched(store, "folder/object.bin") == noise(size)
    assert store.read("folder/object.bin") == noise(size)


def test_a_file_of_several_parts_is_written_and_read(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(noise(18 * MIB + 5))
    store.write_file("large.bin", path)
    assert fetched(store, "large.bin") == noise(18 * MIB + 5)


def test_listing_is_sorted_relative_and_complete(store: Store) -> None:
    keys = ["b/2", "a", "b/10", "c d/é+%.txt"]
    for key in keys:
        store.write(key, key.encode())
    listed = store.list()
    assert [info.key for info in listed] == sorted(keys)
    assert [info.bytes for info in listed] == [len(key.encode()) for key in sorted(keys)]
    assert listed == [store.stat(key) for key in sorted(keys)]
    assert store.stat("b") is None


def test_a_deleted_object_is_gone_and_may_be_deleted_again(store: Store) -> None:
    store.write("folder/one", b"1")
    store.write("folder/two", b"2")
    for _ in range(2):
        store.delete("folder/one")
    assert [info.key for info in store.list()] == ["folder/two"]


def test_a_prefix_does_not_show_its_neighbour(s3: tuple[StorageConfig, str], s3_url: str) -> None:
    S3Store(f"{s3_url}/raw", s3[0]).write("one", b"1")
    S3Store(f"{s3_url}/raw2", s3[0]).write("two", b"2")
    assert [info.key for info in S3Store(f"{s3_url}/raw/", s3[0]).list()] == ["one"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("change", ["written anew", "removed"])
def test_an_object_that_changed_since_it_was_listed_is_an_error(store: Store, tmp_path: Path, change: str) -> None:
    store.write("object", noise(12 * MIB))  # more parts than connections
    info = store.list()[0]
    if change == "written anew":
        store.write("object", noise(12 * MIB)[::-1])
    elif isinstance(store, S3Store):
        store.client.delete_object(Bucket=store.bucket, Key=store.prefix + "object")
    else:
        (tmp_path / "store" / "object").unlink()
    with (
        pytest.raises(OperationError, match="object: changed or removed since it was listed"),
        store.local(info),
    ):
        pass


def test_memory_stays_bounded_while_a_large_object_is_read(
    s3: tuple[StorageConfig, str], s3_store: S3Store, tmp_path: Path
) -> None:
    size, path = 72 * MIB, tmp_path / "large.bin"
    path.write_bytes(noise(MIB) * 72)
    s3_store.write_file("large.bin", path)
    info = s3_store.list()[0]
    large_parts = S3Store(s3_store.url, s3[0].model_copy(update={"part_mib": 32}))
    for store in (s3_store, large_parts):
        tracemalloc.start()
        with store.local(info) as copy:
            peak = tracemalloc.get_traced_memory()[1]
            assert copy.path.stat().st_size == size
            assert copy.digest == digest_file(path)
        tracemalloc.stop()
        assert peak < 36 * MIB  # 4 connections, some MiB each, and the digest's buffer


def test_ranges_are_read_in_parallel(s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy) -> None:
    s3_store.write("object", noise(8 * MIB))
    assert fetched(proxied, "object") == noise(8 * MIB)
    assert proxy.connections == 4


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_body_that_breaks_off_is_continued(
    s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy, fault: str
) -> None:
    s3_store.write("object", noise(6 * MIB + 99))
    proxy.faults = [Fault(fault, 100_000), Fault(fault, 700_000), Fault(fault, 900_000)]
    assert fetched(proxied, "object") == noise(6 * MIB + 99)
    proxy.faults = [Fault(fault, 200_000)]
    assert proxied.read("object") == noise(6 * MIB + 99)
    assert proxy.faults == []


def test_a_body_that_stalls_is_continued(
    s3_store: S3Store, proxy: FaultyProxy, s3: tuple[StorageConfig, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowcoder.storage.s3._STALL_SECONDS", 2)
    s3_store.write("object", noise(3 * MIB))
    proxied = S3Store(s3_store.url, s3[0].model_copy(update={"endpoint": proxy.endpoint}))
    proxy.faults = [Fault("stall", 300_000)]
    assert fetched(proxied, "object") == noise(3 * MIB)
    assert proxy.faults == []


def test_a_body_that_always_breaks_off_is_an_error_that_says_where(
    s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy
) -> None:
    s3_store.write("object", noise(9 * MIB))
    proxy.faults = [Fault("close", 50_000)] * 100
    with pytest.raises(OperationError, match=r"object broke off at byte \d+ .* after 4 attempts"):
        fetched(proxied, "object")


def test_a_server_that_hangs_up_is_an_error_that_says_where(proxied: S3Store, proxy: FaultyProxy) -> None:
    proxy.faults = [Fault("lose reply")] * 100
    with pytest.raises(OperationError, match=r"^cannot list s3://\S+: ConnectionClosedError$"):
        proxied.list()
    proxy.faults = [Fault("close", 0)] * 100  # which botocore takes for an empty listing
    with pytest.raises(OperationError, match=r"^cannot list s3://\S+: the answers make no sense; check storage\.end"):
        proxied.list()


@pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "host", "http://me:hunter2@127.0.0.1:1", "me:hunter2@host:1"])
@pytest.mark.parametrize("by", ["storage.endpoint", "AWS_ENDPOINT_URL"])
def test_an_endpoint_that_is_none_is_the_users_mistake(
    s3: tuple[StorageConfig, str], monkeypatch: pytest.MonkeyPatch, endpoint: str, by: str
) -> None:
    if by == "AWS_ENDPOINT_URL":
        monkeypatch.setenv(by, endpoint)
    config = s3[0].model_copy(update={"endpoint": endpoint if by == "storage.endpoint" else None})
    with pytest.raises(UserError, match=r"storage\.endpoint must be http://host:port") as caught:
        open_store("s3://bucket", config)
    assert "hunter2" not in str(caught.value)


def test_an_unusable_place_on_disk_is_named(tmp_path: Path, s3: tuple[StorageConfig, str]) -> None:
    store = open_store(str(tmp_path), s3[0])
    store.write("file", b"x")
    with pytest.raises(OperationError, match=rf"cannot write {tmp_path}/file/object: File exists"):
        store.write("file/object", b"x")
    with pytest.raises(OperationError, match=rf"cannot write {tmp_path}/file/object: File exists"):
        store.write_file("file/object", tmp_path / "file")
    with pytest.raises(OperationError, match=rf"cannot read {tmp_path}/missing: No such file"):
        store.read("missing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_not_passed_over(tmp_path: Path, s3: tuple[StorageConfig, str]) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(OperationError, match=rf"cannot list {tmp_path}/closed: Permission denied"):
        open_store(str(tmp_path), s3[0]).list()


@pytest.mark.parametrize("url", ["gs://bucket/prefix", "s3://", "s3:///prefix"])
def test_a_url_that_is_no_place_for_shards_is_the_users_mistake(s3: tuple[StorageConfig, str], url: str) -> None:
    with pytest.raises(UserError, match=r"s3://bucket/prefix"):
        open_store(url, s3[0])
