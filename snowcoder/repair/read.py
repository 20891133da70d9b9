"""The bugs of a benchmark, from a file of the user's."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snowcoder.config.repair_schema import RepairConfig
from snowcoder.errors import UserError, did_you_mean
from snowcoder.repair.bugs import Bug, BugLanguage, differing_lines
from snowcoder.repair.defects4j import defects4j_bug

_FROM = {
    "humanevalfix": "https://huggingface.co/datasets/bigcode/humanevalpack (data/LANGUAGE/data/humanevalpack.jsonl)",
    "defects4j": "https://github.com/ise-uiuc/Repilot (data/)",
}


def read_bugs(config: RepairConfig) -> list[Bug]:
    """Those that the config names. Raises UserError where the file is not what it should be, or lacks one of them."""
    path = Path(config.data).expanduser()
    text = _unpacked(path, config)
    try:
        bugs = list(_humanevalfix(text, config) if config.benchmark == "humanevalfix" else _defects4j(text, config))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"repair.data: {path} has no bugs of {config.benchmark}: {error!r}") from None
    if not bugs and not config.bugs:
        raise UserError(f"repair.data: {path} is empty: no bugs of {config.benchmark}")
    return _chosen(bugs, config)


def _unpacked(path: Path, config: RepairConfig) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        where = _FROM[config.benchmark]
        raise UserError(
            f"repair.data: {path} is not there; the file is at {where}. Set repair.data=FILE, plain or gzip"
        ) from None
    try:
        return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"repair.data: {path} cannot be read: {error}") from None


def _chosen(bugs: list[Bug], config: RepairConfig) -> list[Bug]:
    known = [bug.name for bug in bugs]
    if unknown := [name for name in config.bugs if name not in known]:
        near = did_you_mean(unknown[0], known)
        raise UserError(f"repair.bugs: {', '.join(unknown)}: not in {config.data}{near}")
    chosen = [bug for bug in bugs if not config.bugs or bug.name in config.bugs]
    return chosen[: config.first or len(chosen)]


def _humanevalfix(text: str, config: RepairConfig) -> Iterator[Bug]:
    """HumanEvalPack's rows; their numbers are HumanEval's."""
    for line in filter(None, text.split("\n")):
        row: dict[str, Any] = json.loads(line)
        head = row["prompt" if config.docstring else "declaration"]
        span = differing_lines(row["buggy_solution"], row["canonical_solution"], head)
        language: BugLanguage = config.language
        if row["task_id"].partition("/")[0].lower() != language:
            raise ValueError(f"{row['task_id']} is not in {language} (repair.language)")
        yield Bug(row["task_id"], language, *span[:4], tests=row["test"], hunks=span.hunks)


def _defects4j(text: str, config: RepairConfig) -> Iterator[Bug]:
    checkouts = Path(config.checkouts).expanduser() if config.checkouts else None
    for name, row in json.loads(text).items():
        if not config.bugs or name in config.bugs:  # of a checkout, files are read
            yield defects4j_bug(name, row, checkouts)
