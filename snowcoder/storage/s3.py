"""An S3 prefix as a store of objects, at any endpoint.

Credentials come from the standard AWS chain alone and are in no message.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config as BotoConfig
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from urllib3.exceptions import HTTPError

from snowcoder.config.schema import StorageConfig
from snowcoder.errors import OperationError, SnowcoderError, UserError
from snowcoder.lineage.digest import digest_file
from snowcoder.storage.store import LocalCopy, ObjectInfo

T = TypeVar("T")
_CHUNK = 1 << 20
_STALL_SECONDS = 30  # without a byte, then the connection is given up
_BROKEN_BODY = (BotoCoreError, HTTPError, OSError)
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_CHANGED = {"412", "PreconditionFailed"}
_DENIED = {
    "403",
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}


class S3Store:
    def __init__(self, url: str, config: StorageConfig) -> None:
        self.url = url
        self.config = config
        self.bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        if not self.bucket:
            raise UserError(f"{url}: an S3 location is s3://bucket/prefix")
        self.client = self._call("open", "", lambda: _client(config))

    def list(self) -> list[ObjectInfo]:
        def pages() -> list[ObjectInfo]:
            paginator = self.client.get_paginator("list_objects_v2")
            found = paginator.paginate(Bucket=self.bucket, Prefix=self.prefix)
            return [self._info(item) for page in found for item in page.get("Contents", [])]

        return sorted(self._call("list", "", pages))

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
        info = self.stat(key)
        if info is None:
            raise OperationError(f"{self.url}/{key} is not there")
        return self._call("read", key, lambda: b"".join(map(bytes, self._chunks(info, 0, info.bytes))))

    @contextmanager
    def local(self, info: ObjectInfo) -> Iterator[LocalCopy]:
        suffix = Path(info.key).suffix
        with tempfile.NamedTemporaryFile(prefix="snowcoder-", suffix=suffix) as file:
            path = Path(file.name)
            self._call("read", info.key, lambda: self._fill(path, info))
            yield LocalCopy(path, digest_file(path))

    def write(self, key: str, data: bytes) -> None:
        def put() -> None:
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data)

        self._call("write", key, put)

    def write_file(self, key: str, path: Path) -> None:
        transfer = TransferConfig(
            preferred_transfer_client="classic",  # the CRT client ignores endpoint_url
            max_concurrency=self.config.connections,
            multipart_chunksize=self.config.part_mib << 20,
        )

        def upload() -> None:
            with path.open("rb") as file:
                self.client.upload_fileobj(file, self.bucket, self.prefix + key, Config=transfer)

        self._call("write", key, upload)

    def _fill(self, path: Path, info: ObjectInfo) -> None:
        """Read all ranges in parallel, each to its place in the file.

        In memory is one chunk a connection, however large the object and its parts are.
        """
        part = self.config.part_mib << 20

        def fetch(first: int) -> None:
            with path.open("r+b") as file:
                file.seek(first)
                for chunk in self._chunks(info, first, min(first + part, info.bytes)):
                    file.write(chunk)

        with path.open("r+b") as file, ThreadPoolExecutor(self.config.connections) as pool:
            if info.bytes:
                os.posix_fallocate(file.fileno(), 0, info.bytes)  # a full disk is found now
            for _ in pool.map(fetch, range(0, info.bytes, part)):
                pass

    def _chunks(self, info: ObjectInfo, first: int, last: int) -> Iterator[memoryview]:
        """The bytes from `first` to before `last`, in one buffer that each chunk overwrites.

        A body that breaks off is continued there: botocore retries requests, but not what breaks inside a body.
        """
        buffer, reason = memoryview(bytearray(min(_CHUNK, last - first))), ""
        for attempt in range(self.config.attempts):
            if first == last:
                return
            if attempt:
                time.sleep(min(8.0, 0.1 * 2**attempt))
            body = self._body(info, first, last)
            try:
                while count := body.readinto(buffer):
                    first += count
                    yield buffer[:count]
            except _BROKEN_BODY as error:
                reason = type(error).__name__
        if first != last:
            raise OperationError(
                f"{self.url}/{info.key} broke off at byte {first} ({reason}); "
                f"gave up after {self.config.attempts} attempts"
            )

    def _body(self, info: ObjectInfo, first: int, last: int) -> Any:  # a StreamingBody; its stub of readinto is wrong
        return self.client.get_object(
            Bucket=self.bucket,
            Key=self.prefix + info.key,
            Range=f"bytes={first}-{last - 1}",
            IfMatch=info.tag,
        )["Body"]

    def _call(self, verb: str, key: str, action: Callable[[], T]) -> T:
        """Run `action`; whatever goes wrong becomes a message that says where, and what to do."""
        where = f"cannot {verb} {self.url}{'/' + key if key else ''}"
        try:
            return action()
        except SnowcoderError:
            raise
        except (NoCredentialsError, PartialCredentialsError, ProfileNotFound):
            raise UserError(
                f"{where}: no AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role"
            ) from None
        except ParamValidationError:
            raise UserError(f"{where}: not a valid bucket name or key") from None
        except (EndpointConnectionError, ConnectTimeoutError):
            at = self.config.endpoint or "the default endpoint"
            raise OperationError(f"{where}: nothing answers at {at}; check storage.endpoint and the network") from None
        except ClientError as error:
            raise self._refused(where, error) from None
        except BotoCoreError as error:  # its text may hold a proxy's password
            raise OperationError(f"{where}: {type(error).__name__}") from None
        except OSError as error:
            raise OperationError(f"{where}: {error}") from None

    def _refused(self, where: str, error: ClientError) -> SnowcoderError:
        code = _code(error)
        if code == "NoSuchBucket":
            return UserError(f"{where}: there is no bucket {self.bucket}")
        if code in _DENIED:
            return UserError(f"{where}: access refused ({code}); check the credentials and their rights")
        if code in _ABSENT | _CHANGED:
            return OperationError(f"{where}: changed or removed since it was listed; run the stage again")
        return OperationError(f"{where}: the server answered {code}")

    def _info(self, item: dict[str, Any]) -> ObjectInfo:
        return ObjectInfo(item["Key"].removeprefix(self.prefix), item["Size"], item["ETag"])


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _client(config: StorageConfig) -> Any:
    """Raises UserError without showing the endpoint: what is wrong with it may be a password in it."""
    try:
        # A session of its own: the default one keeps the first credentials it ever saw.
        client = boto3.Session().client(
            "s3",
            endpoint_url=config.endpoint,
            region_name=config.region,
            config=BotoConfig(
                retries={"mode": "standard", "total_max_attempts": config.attempts},
                max_pool_connections=config.connections + 2,
                connect_timeout=10,
                read_timeout=_STALL_SECONDS,
                s3={"addressing_style": "path"} if config.endpoint else None,
            ),
        )
    except ValueError:
        client = None
    if client is None or "@" in urlsplit(client.meta.endpoint_url).netloc:
        raise UserError(
            "storage.endpoint must be http://host:port or https://host:port, without user name and password, "
            "and storage.region the name of a region"
        )
    return client
