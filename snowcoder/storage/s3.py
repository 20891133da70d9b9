"""An S3 prefix as a store of objects, at any endpoint. Credentials come from the standard chain alone."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config as BotoConfig
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ProfileNotFound,
)

from snowcoder.config.schema import StorageConfig
from snowcoder.errors import OperationError, SnowcoderError, UserError
from snowcoder.lineage.digest import digest_file
from snowcoder.storage.store import LocalCopy, ObjectInfo

T = TypeVar("T")
_ABSENT = {"404", "NoSuchKey", "NotFound"}


class S3Store:
    def __init__(self, url: str, config: StorageConfig) -> None:
        self.url = url
        self.config = config
        self.bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        if not self.bucket:
            raise UserError(f"{url}: an S3 location is s3://bucket/prefix")
        self.client = _client(config)

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        def pages() -> list[ObjectInfo]:
            found = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
            return [self._info(item) for page in found for item in page.get("Contents", [])]

        return sorted(self._call("list", prefix, pages))

    def stat(self, key: str) -> ObjectInfo | None:
        def head() -> ObjectInfo | None:
            try:
                found = self.client.head_object(Bucket=self.bucket, Key=self.prefix + key)
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
            return ObjectInfo(key, found["ContentLength"], found["ETag"])

        return self._call("look up", key, head)

    def read(self, key: str) -> bytes:
        def get() -> bytes:
            return self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()

        return self._call("read", key, get)

    @contextmanager
    def local(self, info: ObjectInfo) -> Iterator[LocalCopy]:
        with tempfile.NamedTemporaryFile(prefix="snowcoder-", suffix=Path(info.key).suffix) as file:
            file.truncate(info.bytes)
            self._fill(Path(file.name), info)
            yield LocalCopy(Path(file.name), digest_file(Path(file.name)))

    def write(self, key: str, data: bytes) -> None:
        self._call("write", key, lambda: self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data))

    def write_file(self, key: str, path: Path) -> None:
        # The CRT client ignores endpoint_url.
        transfer = TransferConfig(
            preferred_transfer_client="classic",
            max_concurrency=self.config.connections,
            multipart_chunksize=self.config.part_mib << 20,
        )
        self._call(
            "write",
            key,
            lambda: self.client.upload_file(str(path), self.bucket, self.prefix + key, Config=transfer),
        )

    def _fill(self, path: Path, info: ObjectInfo) -> None:
        """Read all ranges in parallel, through one preallocated buffer a connection, each to its place in the file."""
        part = min(self.config.part_mib << 20, info.bytes)
        buffers: SimpleQueue[memoryview] = SimpleQueue()
        for _ in range(self.config.connections):
            buffers.put(memoryview(bytearray(part)))

        def fetch(first: int) -> None:
            buffer = buffers.get()
            memory = buffer[: min(part, info.bytes - first)]
            self._call("read", info.key, lambda: self._read_range(info, first, memory))
            os.pwrite(file.fileno(), memory, first)
            buffers.put(buffer)

        with path.open("r+b", buffering=0) as file, ThreadPoolExecutor(self.config.connections) as pool:
            for _ in pool.map(fetch, range(0, info.bytes, part or 1)):
                pass

    def _read_range(self, info: ObjectInfo, first: int, memory: memoryview) -> None:
        """Fill `memory` from byte `first`. botocore does not retry what breaks inside a body, so this does."""
        for attempt in range(1, self.config.attempts + 1):
            try:
                self._read_once(info, first, memory)
                return
            except (HTTPClientError, OSError, EOFError) as error:
                if attempt == self.config.attempts:
                    raise OperationError(
                        f"{self.url}/{info.key}: bytes {first} to {first + len(memory)} could not be read in "
                        f"{attempt} attempts ({type(error).__name__})"
                    ) from None
                time.sleep(min(8.0, 0.1 * 2**attempt))

    def _read_once(self, info: ObjectInfo, first: int, memory: memoryview) -> None:
        body = self.client.get_object(
            Bucket=self.bucket,
            Key=self.prefix + info.key,
            Range=f"bytes={first}-{first + len(memory) - 1}",
            IfMatch=info.tag,
        )["Body"]
        filled = 0
        while filled < len(memory):
            count = body.readinto(memory[filled:])
            if not count:
                raise EOFError("the body ended early")
            filled += count

    def _call(self, verb: str, key: str, action: Callable[[], T]) -> T:
        """Run `action`; whatever goes wrong becomes a message that says where, and what to do."""
        where = f"cannot {verb} {self.url}{'/' + key if key else ''}"
        try:
            return action()
        except SnowcoderError:
            raise
        except (NoCredentialsError, ProfileNotFound):
            raise UserError(
                f"{where}: no AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role"
            ) from None
        except EndpointConnectionError:
            at = self.config.endpoint or "the default endpoint"
            raise OperationError(f"{where}: nothing answers at {at}; check storage.endpoint and the network") from None
        except ClientError as error:
            raise self._refused(where, error) from None
        except (BotoCoreError, OSError, boto3.exceptions.Boto3Error) as error:
            raise OperationError(f"{where}: {type(error).__name__}") from None

    def _refused(self, where: str, error: ClientError) -> SnowcoderError:
        code = _code(error)
        if code == "NoSuchBucket":
            return UserError(f"{where}: there is no bucket {self.bucket}")
        if code in {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}:
            return UserError(f"{where}: access refused ({code}); check the credentials and their rights")
        if code in {"412", "PreconditionFailed"}:
            return OperationError(f"{where}: the object changed while it was read; run the stage again")
        return OperationError(f"{where}: the server answered {code}")

    def _info(self, item: dict[str, Any]) -> ObjectInfo:
        return ObjectInfo(item["Key"].removeprefix(self.prefix), item["Size"], item["ETag"])


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _client(config: StorageConfig) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=config.endpoint,
        region_name=config.region,
        config=BotoConfig(
            retries={"mode": "standard", "total_max_attempts": config.attempts},
            max_pool_connections=config.connections + 2,
            connect_timeout=10,
            read_timeout=30,
            s3={"addressing_style": "path"} if config.endpoint else None,
        ),
    )
