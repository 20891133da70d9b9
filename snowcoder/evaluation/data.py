"""The files of the benchmarks: from a folder of the user's, from snowcoder itself, or from their public places."""

from __future__ import annotations

import gzip
import json
import shutil
import urllib.request
import zlib
from pathlib import Path
from typing import Any

from snowcoder.errors import OperationError, UserError
from snowcoder.evaluation.suites import SUITES, Suite
from snowcoder.evaluation.tasks import Task
from snowcoder.storage.atomic import atomic_path
from snowcoder.storage.digest import digest_bytes

_SHIPPED = Path(__file__).parent / "data"  # HumanEval, whose licence is MIT


def read_suite(suite: Suite, folder: Path) -> list[Task]:
    """Its tasks, after the digest of the data was checked. What is neither in `folder` nor shipped is downloaded there.

    Raises UserError where the data are not those of the suite's version.
    """
    path = folder / suite.file
    if not path.is_file():
        shipped = _SHIPPED / path.name
        path = shipped if shipped.is_file() else _download(suite, path)
    text = _unpacked(path)
    if (digest := digest_bytes(text)) != suite.digest:
        raise UserError(
            f"{path}: is not {suite.title} of {suite.version}: its digest is {digest}, not {suite.digest}. "
            f"Remove it, and it is downloaded from {suite.url}"
        )
    # json, not orjson: there are integers beyond 64 bits, and infinities.
    rows: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.strip()]
    tasks = suite.read(rows)
    assert len(tasks) == suite.tasks
    return tasks


def _unpacked(path: Path) -> bytes:
    """As it lies there, where it is no whole archive: its digest then is another, too."""
    content = path.read_bytes()
    try:
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return content


def suites_of(names: list[str]) -> list[Suite]:
    """Raises UserError about names that are not known."""
    if unknown := [name for name in names if name not in SUITES]:
        raise UserError(f"evaluation.suites: {', '.join(unknown)}: not known; allowed: {', '.join(SUITES)}")
    return [SUITES[name] for name in names]


def _download(suite: Suite, path: Path) -> Path:
    print(f"evaluate: {suite.title} from {suite.url}", flush=True)
    try:
        with (
            urllib.request.urlopen(suite.url, timeout=60) as answer,
            atomic_path(path) as partial,
            partial.open("wb") as file,
        ):
            shutil.copyfileobj(answer, file)
    except OSError as error:
        raise OperationError(
            f"{suite.title} cannot be downloaded from {suite.url}: {error}. Where there is no internet, "
            f"put the file at {path}, or set evaluation.data to a folder that has {suite.file}"
        ) from None
    return path
