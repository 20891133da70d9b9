"""A real S3 server for the tests that need objects but no checks of credentials."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import StorageConfig
from snowcoder.demo.s3_server import _command, find_program
from snowcoder.demo.s3_server import _wait as _wait_for_bucket
from snowcoder.ports import free_ports


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StorageConfig, str]]:
    """The config of a server on loopback, and the URL of an empty bucket in it.

    Made-up credentials for it are in the environment, where child processes find them too.
    """
    folder = tmp_path_factory.mktemp("s3")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_CONFIG_FILE", os.devnull)
        environment.setenv("no_proxy", "127.0.0.1")
        environment.delenv("AWS_PROFILE", raising=False)
        environment.delenv("AWS_SESSION_TOKEN", raising=False)
        with _ministack(folder) as endpoint:
            bucket = f"tests-{uuid.uuid4().hex[:8]}"
            boto3.Session().client("s3", endpoint_url=endpoint).create_bucket(Bucket=bucket)
            yield storage_config(endpoint), f"s3://{bucket}"


def storage_config(endpoint: str, *overrides: str) -> StorageConfig:
    """Few attempts and parts of 1 MiB, so that small objects have several and tests end soon."""
    words = ["storage.attempts=4", "storage.connections=4", "storage.part_mib=1", *overrides]
    return load_config(["storage=s3", f"storage.endpoint={endpoint}", *words]).storage


@contextmanager
def _ministack(folder: Path) -> Iterator[str]:
    port = free_ports(1)[0]
    settings = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "s3"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env={**os.environ, **settings},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait(process, endpoint, folder / "server.log")
        yield endpoint
    finally:
        process.kill()  # it keeps everything in memory
        process.wait()


def _wait(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(endpoint, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"ministack did not start:\n{log.read_text()[-2000:]}")


def seaweedfs_installed() -> bool:
    return find_program() is not None


class S3Server:
    """SeaweedFS that can be killed and started again on its data, at the same address.

    Its keys are in the environment as long as it is entered.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._ports = folder, free_ports(10)
        self.endpoint = f"http://127.0.0.1:{self._ports[0]}"
        self.keys = {"AWS_ACCESS_KEY_ID": "a-key-of-tests", "AWS_SECRET_ACCESS_KEY": "a-secret-of-tests"}
        self._environment = pytest.MonkeyPatch()

    def __enter__(self) -> S3Server:
        self._folder.mkdir(parents=True)
        for name, value in {**self.keys, "AWS_DEFAULT_REGION": "us-east-1", "no_proxy": "127.0.0.1"}.items():
            self._environment.setenv(name, value)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._environment.undo()
        self.kill()

    def start(self) -> None:
        """Returns when it answers."""
        with (self._folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                _command(self._folder, self._ports), stdout=log, stderr=log, env={**os.environ, **self.keys}
            )
        with pytest.MonkeyPatch.context() as environment:
            for name, value in self.keys.items():
                environment.setenv(name, value)
            _wait_for_bucket(self._process, self.endpoint, self._folder / "server.log")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
