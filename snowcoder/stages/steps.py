"""A step of the corpus stage: one work item for each shard or partition, each with a record written last.

An item whose record matches what it would be made from is not done again: so a killed build goes on, and a changed
filter or a new shard costs only what depends on it.
"""

from __future__ import annotations

import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from snowcoder import __version__
from snowcoder.config.corpus_schema import EngineConfig
from snowcoder.errors import OperationError
from snowcoder.lineage.manifest import Output
from snowcoder.lineage.rows import RowCounts, check_given, check_rows
from snowcoder.progress import bar
from snowcoder.stages.engine import run_items
from snowcoder.stages.lock import is_lock
from snowcoder.stages.tables import Table, count_rows
from snowcoder.storage.atomic import write_json, writing_to
from snowcoder.storage.digest import digest_file, digest_json

# Bytes of a step's input that threads are done with before workers would have made up for their start.
_LITTLE = 256 << 20


@dataclass(frozen=True)
class WorkItem:
    name: str
    made_from: str  # digest of all that decides what the item makes
    data: dict[str, Any] = field(default_factory=dict)  # as JSON has it
    bytes: int = 0  # of its input, for the progress bar


@dataclass(frozen=True)
class Record:
    """What became of a work item."""

    name: str
    made_from: str
    outputs: list[Output]
    counts: dict[str, Any]
    bytes: int
    rows: RowCounts
    tables: dict[str, int] = field(default_factory=dict)  # those of the outputs that are parquet -> rows

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """None where there is none, or one of an earlier version."""
        try:
            raw = json.loads(path.read_text())
            outputs = [Output(**output) for output in raw["outputs"]]
            return cls(**{**raw, "outputs": outputs, "rows": RowCounts(*raw["rows"])})
        except (FileNotFoundError, KeyError, ValueError, TypeError):
            return None

    @property
    def digest(self) -> str:
        return digest_json([asdict(output) for output in self.outputs])

    def paths(self, folder: Path, suffix: str = "") -> list[Path]:
        return [folder / output.name for output in self.outputs if output.name.endswith(suffix)]

    def tables_in(self, folder: Path, suffix: str = ".parquet") -> list[Table]:
        return [Table(folder / name, rows) for name, rows in self.tables.items() if name.endswith(suffix)]


class Step(ABC):
    """A function of an item, done in a worker process. `folder` holds its files and records."""

    # Nearly all of its work is done by libraries that let other threads run: where there is little, those do it.
    threads = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def decided_by(self) -> dict[str, Any]:
        """All of the config that decides what an item makes, besides its input. Beside `make`, which reads it.

        Not what is of the place: folders, storage, engine.
        """

    @abstractmethod
    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        """Write the item's files into `folder`, which is empty; return what became of its rows, and other counts."""

    def work_item(self, name: str, made_from: Any, data: dict[str, Any] | None = None, bytes: int = 0) -> WorkItem:
        """`made_from`: digests of the input, for JSON. They and the name stand for `data`, which may hold paths."""
        return WorkItem(name, digest_json([self._how, name, made_from]), data or {}, bytes)

    @cached_property
    def _how(self) -> str:
        return digest_json({"snowcoder": __version__, **self.decided_by()})

    def __call__(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Files appear under their names when they are whole, the record when all of them have.

        Raises OperationError where a row was lost on the way.
        """
        item = WorkItem(**raw)
        draft = self.folder / f".{item.name}.{os.getpid()}"
        with writing_to(self.folder):
            draft.mkdir(parents=True)
            try:
                rows, counts = self.make(item, draft)
                check_rows(f"{self.folder.name} {item.name}", rows)
                tables = {path.name: count_rows(path) for path in sorted(draft.glob("*.parquet"))}
                outputs = [_publish(path, self.folder) for path in sorted(draft.iterdir())]
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            record = Record(item.name, item.made_from, outputs, counts, item.bytes, rows, tables)
            write_json(self.record_path(item.name), asdict(record))
        return {"name": item.name}

    def find(self, item: WorkItem) -> Record | None:
        """The item's record, if it need not be done again."""
        record = Record.read(self.record_path(item.name))
        if record is None or record.made_from != item.made_from or not all(map(self._is_there, record.outputs)):
            return None
        return record

    def record_path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _is_there(self, output: Output) -> bool:
        path = self.folder / output.name
        return path.is_file() and path.stat().st_size == output.bytes


def run_step(
    step: Step,
    title: str,
    items: list[WorkItem],
    engine: EngineConfig,
    given: int | None = None,
    before: Callable[[], None] | None = None,
) -> list[Record]:
    """Records of all items, in their order, after doing those that are not done.

    `given`: how many rows all of them should read, by what the step before wrote. Raises OperationError where they
    read others, and for an item that the engine lost. `before`: called once, if anything is to be done.
    """
    todo = [item for item in items if step.find(item) is None]
    if todo:
        if before:
            before()
        _clean(step, items, todo)
        sizes = {item.name: item.bytes for item in todo}
        with bar(title, sum(sizes.values()), "B") as progress:
            threads = step.threads and sum(sizes.values()) < _LITTLE
            for result in run_items(step, [asdict(item) for item in todo], engine, threads):
                progress.update(sizes[result["name"]])
    return _all_done(step, title, items, given)


def _all_done(step: Step, title: str, items: list[WorkItem], given: int | None) -> list[Record]:
    records = [record for item in items if (record := step.find(item))]
    if len(records) < len(items):
        lost = sorted({item.name for item in items} - {record.name for record in records})
        raise OperationError(
            f"{title}: of {len(items):,} work items {len(lost):,} left nothing in {step.folder}, though none failed: "
            f"{', '.join(lost[:3])}; run the same command again, which does these"
        )
    for record in records:
        check_rows(f"{step.folder.name} {record.name}", record.rows, step.record_path(record.name))
    if given is not None:
        check_given(title, given, sum(record.rows.read for record in records), step.folder)
    return records


def _publish(path: Path, folder: Path) -> Output:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    output = Output(path.name, path.stat().st_size, digest_file(path))
    path.replace(folder / path.name)
    return output


def _clean(step: Step, items: list[WorkItem], todo: list[WorkItem]) -> None:
    """Remove what killed workers, other lists of shards and outdated items left behind."""
    step.folder.mkdir(parents=True, exist_ok=True)
    again = {item.name for item in todo}
    done = [record for item in items if item.name not in again and (record := step.find(item))]
    keep = {output.name for record in done for output in record.outputs} | {f"{record.name}.json" for record in done}
    for path in step.folder.iterdir():
        if path.name not in keep and not is_lock(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
