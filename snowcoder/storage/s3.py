"""An S3 prefix as a store of objects, at any endpoint.

Credentials come from the standard AWS chain alone and are in no message.
"""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
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
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from snowcoder.config.schema import StorageConfig
from snowcoder.errors import OperationError, SnowcoderError, UserError
from snowcoder.storage.checksums import Checksum, digests, promised
from snowcoder.storage.objects import LocalCopy, ObjectInfo

T = TypeVar("T")
_CHUNK = 1 << 20
_STALL_SECONDS = 30  # without a byte, then the connection is given up
_FIRST_ATTEMPTS = 3
_BROKEN_BODY = (BotoCoreError, HTTPError, OSError)
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_WRITE_AGAIN = {
    "NoSuchUpload",  # its completion was carried out and the reply lost: the second try found no upload
    "BadDigest",  # the body was damaged on the way
    "XAmzContentSHA256Mismatch",
}
_CHANGED = {"412", "PreconditionFailed"}
_DENIED = {
    "403",
    "AccessDenied",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_EXPIRED_HELP = "the AWS credentials have expired; renew them (aws sso login, new AWS_* variables) and run this again"
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound)
_NO_NEW_CREDENTIALS = (CredentialRetrievalError, SSOError, TokenRetrievalError, RefreshWithMFAUnsupportedError)
_GARBLED = (ResponseParserError, KeyError, ValueError)


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
        """Read until two listings in a row agree: no checksum covers a listing."""

        def pages() -> list[ObjectInfo]:
            paginator = self.client.get_paginator("list_objects_v2")
            found = paginator.paginate(Bucket=self.bucket, Prefix=self.prefix)
            # An answer cut to nothing is parsed to nothing: without this word it is no listing.
            complete = [page for page in found if page["IsTruncated"] in (True, False)]
            return [self._info(item) for page in complete for item in page.get("Contents", [])]

        before = self._call("list", "", pages)
        for _ in range(self.config.attempts):
            found = self._call("list", "", pages)
            if found == before:
                return sorted(found)
            before = found
        raise OperationError(f"{self.url} changes while it is listed; run the stage again when nothing writes there")

    def stat(self, key: str) -> ObjectInfo | None:
        def head() -> ObjectInfo | None:
            try:
                found = self._head(key)
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
        with self.local(info) as copy:
            return copy.path.read_bytes()

    def read_range(self, info: ObjectInfo, first: int, last: int) -> bytes:
        return self._call("read", info.key, lambda: b"".join(map(bytes, self._chunks(info, first, last))))

    @contextmanager
    def local(self, info: ObjectInfo) -> Iterator[LocalCopy]:
        with tempfile.TemporaryFile(prefix="snowcoder-") as file:  # it has no name: nothing stays of a killed process
            path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
            yield LocalCopy(path, self._call("read", info.key, lambda: self._fetch(path, info)))

    def write(self, key: str, data: bytes) -> None:
        def put() -> None:
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data)

        self._call("write", key, lambda: self._repeated(put))

    def write_file(self, key: str, path: Path) -> None:
        transfer = TransferConfig(
            preferred_transfer_client="classic",  # the CRT client ignores endpoint_url
            max_concurrency=self.config.connections,
            multipart_chunksize=self.config.part_mib << 20,
        )

        def upload() -> None:
            with path.open("rb") as file:
                self.client.upload_fileobj(file, self.bucket, self.prefix + key, Config=transfer)

        self._call("write", key, lambda: self._repeated(upload))

    def delete(self, key: str) -> None:
        def remove() -> None:
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

        self._call("remove", key, remove)

    def _repeated(self, put: Callable[[], None]) -> None:
        """Write the whole object again where botocore's tries of one request do not help."""
        for left in reversed(range(self.config.attempts)):
            try:
                put()
                return
            except ClientError as error:
                if _code(error) not in _WRITE_AGAIN or not left:
                    raise

    def _fetch(self, path: Path, info: ObjectInfo) -> str:
        """Read the object into `path`, until the bytes are what the server says they are; returns their digest.

        Where it says nothing, two readings must agree.
        """
        seen: set[str] = set()
        for _ in range(self.config.attempts + 1):
            checksum, part_sizes = self._promised(info)
            self._fill(path, info)
            found = digests(path, checksum, part_sizes)
            if checksum and found.value == checksum.value:
                return found.ours
            if found.ours in seen:
                if checksum is None:
                    return found.ours
                raise OperationError(
                    f"{self.url}/{info.key} is damaged where it is stored: its bytes are not those of its "
                    f"{checksum.algorithm} there; put the object there again"
                )
            seen.add(found.ours)
        raise OperationError(
            f"{self.url}/{info.key} was damaged on the way {len(seen)} times, each time differently; "
            "check the network and the memory of this host and of proxies"
        )

    def _promised(self, info: ObjectInfo) -> tuple[Checksum | None, Sequence[int]]:
        """The checksum that the server keeps, and the sizes of the parts that it adds up."""
        checksum = promised(self._head(info.key, IfMatch=info.tag, ChecksumMode="ENABLED"))
        if checksum is None or checksum.parts <= 1:
            return checksum, [info.bytes]
        with ThreadPoolExecutor(self.config.connections) as pool:
            heads = pool.map(
                lambda number: self._head(info.key, IfMatch=info.tag, PartNumber=number), range(1, checksum.parts + 1)
            )
            sizes = [head["ContentLength"] for head in heads]
        return (checksum, sizes) if sum(sizes) == info.bytes else (None, [info.bytes])

    def _head(self, key: str, **how: Any) -> dict[str, Any]:
        where = {"Bucket": self.bucket, "Key": self.prefix + key}
        try:
            return dict(self.client.head_object(**where, **how))
        except ClientError as error:
            if _code(error) in ("400", "403", "404"):  # such an answer has no text that says why
                self.client.get_object(**where, Range="bytes=0-0")["Body"].close()
            raise

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
                while count := body.readinto(buffer[: last - first]):
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
            return self._until_understood(action)
        except SnowcoderError:
            raise
        except _NO_CREDENTIALS:
            raise UserError(
                f"{where}: no AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role"
                f"{self._named_by()}"
            ) from None
        except _NO_NEW_CREDENTIALS as error:  # their text may hold an account or a command
            raise UserError(f"{where}: {_EXPIRED_HELP} ({type(error).__name__})") from None
        except ParamValidationError:
            raise UserError(f"{where}: not a valid bucket name or key") from None
        except (EndpointConnectionError, ConnectTimeoutError):
            at = self.config.endpoint or "the default endpoint"
            raise OperationError(f"{where}: nothing answers at {at}; check storage.endpoint and the network") from None
        except ClientError as error:
            raise self._refused(where, error) from None
        except _GARBLED:
            raise OperationError(
                f"{where}: the answers make no sense; check storage.endpoint and the network"
            ) from None
        except BotoCoreError as error:  # its text may hold a proxy's password
            raise OperationError(f"{where}: {type(error).__name__}") from None
        except OSError as error:
            raise OperationError(f"{where}: {_explained(error)}") from None

    def _until_understood(self, action: Callable[[], T]) -> T:
        """botocore tries again what got no answer, but not where a damaged answer cannot be parsed."""
        for _ in range(self.config.attempts - 1):
            with suppress(*_GARBLED):
                return action()
        return action()

    def _refused(self, where: str, error: ClientError) -> SnowcoderError:
        code = _code(error)
        if code == "NoSuchBucket":
            return UserError(f"{where}: there is no bucket {self.bucket}{self._named_by()}")
        if code in _EXPIRED:
            return UserError(f"{where}: {_EXPIRED_HELP} ({code})")
        if code in _DENIED:
            how = f"check the credentials and their rights{self._named_by()}"
            return UserError(f"{where}: access refused ({code}); {how}")
        if code in _ABSENT | _CHANGED:
            return OperationError(f"{where}: changed or removed since it was listed; run the stage again")
        return OperationError(f"{where}: the server answered {code}")

    def _named_by(self) -> str:
        """The key to set for another bucket, where it is the one that all shards have in common."""
        root = self.config.root
        return f"; the bucket is that of storage.root={root}" if self.url.startswith(root) else ""

    def _info(self, item: dict[str, Any]) -> ObjectInfo:
        return ObjectInfo(item["Key"].removeprefix(self.prefix), item["Size"], item["ETag"])


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _explained(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"no room for a copy in {tempfile.gettempdir()}; make some, or set TMPDIR to a larger folder"
    return str(error)


def _give_up_early(client: Any) -> None:
    """Try an endpoint that has never answered a few times only: it is more often wrong than down."""
    answered = False

    def judge(response: Any = None, caught_exception: Exception | None = None, attempts: int = 1, **_: Any) -> None:
        nonlocal answered
        answered = answered or response is not None
        silent = isinstance(caught_exception, EndpointConnectionError | ConnectTimeoutError)
        if caught_exception and silent and not answered and attempts >= _FIRST_ATTEMPTS:
            raise caught_exception

    client.meta.events.register("needs-retry.s3", judge)


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
                connect_timeout=5,
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
    _give_up_early(client)
    return client
