"""This node's clock against the S3 server's and the shared file system's.

Events and metrics are ordered by it, and S3 refuses requests that are 15 minutes off.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from snowcoder.config.schema import Config
from snowcoder.doctor.disk import existing
from snowcoder.doctor.finding import Finding, sources_read
from snowcoder.doctor.objects import impatient
from snowcoder.storage.s3 import S3Store

_NOTICEABLE, _HARMFUL = 5.0, 300.0  # seconds


def clock_findings(config: Config) -> Iterator[Finding]:
    yield compare("the file system of run.dir", _file_system(existing(Path(config.run.dir))))
    places = [config.checkpoint.upload, *(config.index.sources[name].shards for name in sources_read(config))]
    url = next((place for place in places if place and place.startswith("s3://")), None)
    offset = _s3(S3Store(url, impatient(config.storage))) if url else None
    if offset is not None:
        yield compare("the S3 server", offset)


def compare(what: str, ahead: float) -> Finding:
    """`ahead`: seconds that the other clock is ahead of ours."""
    if abs(ahead) <= _NOTICEABLE:
        return Finding("ok", "clock", f"within {_NOTICEABLE:.0f} s of {what}")
    text = f"{what} is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine: set both clocks by NTP"
    return Finding("problem" if abs(ahead) > _HARMFUL else "warning", "clock", text)


def _file_system(folder: Path) -> float:
    """Its server stamps what is written."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".snowcoder-doctor-") as file:
        before = time.time()
        file.write(b"now")
        file.flush()
        os.fsync(file.fileno())
        return _between(os.stat(file.name).st_mtime, before, time.time())


def _s3(store: S3Store) -> float | None:
    """By the Date of its answer, be it a refusal; None if there is no answer, which other checks report."""
    before = time.time()
    try:
        answer = store.client.list_objects_v2(Bucket=store.bucket, Prefix=store.prefix, MaxKeys=1)
    except ClientError as error:
        answer = error.response
    except BotoCoreError:
        return None
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    # A Date has whole seconds.
    return _between(parsedate_to_datetime(date).timestamp(), before - 1, time.time()) if date else None


def _between(stamp: float, before: float, after: float) -> float:
    """How far a stamp lies outside the moments between which it was made."""
    return min(0.0, stamp - before) + max(0.0, stamp - after)
