"""`RUN/index.html`: all pages of a run, and what its stages made from what. Written with each page."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder.errors import UserError
from snowcoder.lineage.manifest import NAME, Manifest, find_manifest
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.pages.page import render_page
from snowcoder.storage.atomic import write_text

_PAGES = {
    "report.html": "training: losses, speed, tokens, events",
    "corpus/report.html": "corpus: what each rule took of the raw files",
    "annotator/scores/inspect.html": "annotator: the best and the worst files of each language",
    "study/study.html": "study: how well each annotator knows the solutions of benchmarks",
    "synthesis/*/report.html": "synthesis: what became of a language model's answers",
    "evaluation/table.md": "evaluation: the models side by side",
    "hf/README.md": "the exported model's card",
}
_TAIL = 1 << 16  # bytes of metrics.jsonl, which has a line a step
_DEPTH = 3  # folders below the run's in which stages write


class Page(NamedTuple):
    link: str
    what: str
    written: datetime


class Made(NamedTuple):
    stage: str
    folder: str
    digest: str
    inputs: dict[str, str]  # name -> digest; of shards, how many


def publish(page: Path, run: str, template: Path, command: str, **values: Any) -> None:
    """Write a page, and list it where it lies in the folder of the run."""
    index = RunFolder(Path(run)).index.absolute()
    inside = index.parent in page.absolute().parents
    home = os.path.relpath(index, page.absolute().parent) if inside else None
    write_text(page, render_page(template, command, home, **values))
    if inside:
        write_index(Path(run))


def write_index(run: Path) -> None:
    """The run's first page, as its folder is now."""
    template = Path(__file__).with_name("index.html.jinja")
    made = [*find_made(run)]
    values = {
        "run": run,
        "pages": [*find_pages(run)],
        "made": made,
        "digests": {each.digest for each in made},
        "last": _last_step(run),
    }
    write_text(RunFolder(run).index, render_page(template, f"snowcoder report {run}", None, **values))


def find_pages(run: Path) -> Iterator[Page]:
    for pattern, what in _PAGES.items():
        for path in sorted(run.glob(pattern)):
            yield Page(str(path.relative_to(run)), what, datetime.fromtimestamp(path.stat().st_mtime, UTC))


def find_made(run: Path) -> Iterator[Made]:
    """Stages that have finished below the run's folder."""
    for depth in range(1, _DEPTH + 1):
        for path in sorted(run.glob("/".join([*"*" * depth, NAME]))):
            try:
                manifest = find_manifest(path.parent)
            except UserError:  # of another version, or changed: its stage says so
                continue
            if manifest:
                inputs = {name: _input(value) for name, value in manifest.inputs.items()}
                yield Made(manifest.stage, str(path.parent.relative_to(run)), _digest(manifest, path.parent), inputs)


def _digest(manifest: Manifest, folder: Path) -> str:
    """What others name it by: a tokenizer by its file."""
    tokenizer = [output.digest for output in manifest.outputs if output.name == "tokenizer.json"]
    return tokenizer[0] if manifest.stage == "tokenizer train" and tokenizer else manifest.digest


def _input(value: Any) -> str:
    return value if isinstance(value, str) else f"{len(value)} shard(s)" if isinstance(value, list) else "several"


def _last_step(run: Path) -> dict[str, Any] | None:
    """The newest step of metrics.jsonl: what the state of a training is read from."""
    try:
        with RunFolder(run).metrics.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:  # cut short
            continue
        if record.get("kind") == "step":
            found: dict[str, Any] | None = record
            return found
    return None
