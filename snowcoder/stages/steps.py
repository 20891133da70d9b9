"""A step of the corpus stage: one task for each shard or partition, each with a record written last.

A task whose record matches what it would be made from is not done again: so a killed build goes on, and a changed
filter or a new shard costs only what depends on it.
"""

from __future__ import annotations

import json
import os
import shutil
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from snowcoder import __version__
from snowcoder.config.corpus_schema import EngineConfig
from snowcoder.errors import OperationError
from snowcoder.lineage.manifest import Output
from snowcoder.lineage.rows import Rows, check_given, check_rows
from snowcoder.progress import bar
from snowcoder.stages.engine import run_tasks
from snowcoder.stages.lock import is_lock
from snowcoder.stages.tables import Table, rows_of
from snowcoder.storage.atomic import write_json, writing_to
from snowcoder.storage.digest import digest_file, digest_json

# Bytes of a step's input that threads are done with before workers would have made up for their start.
_LITTLE = 256 << 20


@dataclass(frozen=True)
class Task:
    name: str
    made_from: str  # digest of all that decides what the task makes
    data: dict[str, Any] = field(default_factory=dict)  # as JSON has it
    bytes: int = 0  # of its input, for the progress bar


@dataclass(frozen=True)
class Record:
    """What became of a task."""

    name: str
    made_from: str
    outputs: list[Output]
    counts: dict[str, Any]
    bytes: int
    rows: Rows
    tables: dict[str, int] = field(default_factory=dict)  # those of the outputs that are parquet -> rows

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """None where there is none, or one of an earlier version."""
        try:
            raw = json.loads(path.read_text())
            outputs = [Output(**output) for output in raw["outputs"]]
            return cls(**{**raw, "outputs": outputs, "rows": Rows(*raw["rows"])})
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
    """A function of a task, done in a worker process. `folder` holds its files and records."""

    # Nearly all of its work is done by libraries that let other threads run: where there is little, those do it.
    threads = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def decided_by(self) -> dict[str, Any]:
        """All of the config that decides what a task makes, besides its input. It stands beside `make`, which reads it.

        Not what is of the place: folders, storage, engine.
        """

    @abstractmethod
    def make(self, task: Task, folder: Path) -> tuple[Rows, dict[str, Any]]:
        """Write the task's files into `folder`, which is empty; return what became of its rows, and other counts."""

    def task(self, name: str, made_from: Any, data: dict[str, Any] | None = None, bytes: int = 0) -> Task:
        """`made_from`: digests of the input, for JSON. They and the name stand for `data`, which may hold paths."""
        return Task(name, digest_json([self._how, name, made_from]), data or {}, bytes)

    @cached_property
    def _how(self) -> str:
        return digest_json({"snowcoder": __version__, **self.decided_by()})

    def __call__(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Files appear under their names when they are whole, the record when all of them have.

        Raises OperationError where a row was lost on the way.
        """
        task = Task(**raw)
        draft = self.folder / f".{task.name}.{os.getpid()}"
        with writing_to(self.folder):
            draft.mkdir(parents=True)
            try:
                rows, counts = self.make(task, draft)
                check_rows(f"{self.folder.name} {task.name}", rows)
                tables = {path.name: rows_of(path) for path in sorted(draft.glob("*.parquet"))}
                outputs = [_publish(path, self.folder) for path in sorted(draft.iterdir())]
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            record = Record(task.name, task.made_from, outputs, counts, task.bytes, rows, tables)
            write_json(self.record_path(task.name), asdict(record))
        return {"name": task.name}

    def find(self, task: Task) -> Record | None:
        """The task's record, if it need not be done again."""
        record = Record.read(self.record_path(task.name))
        if record is None or record.made_from != task.made_from or not all(map(self._is_there, record.outputs)):
            return None
        return record

    def record_path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _is_there(self, output: Output) -> bool:
        path = self.folder / output.name
        return path.is_file() and path.stat().st_size == output.bytes


def run_step(step: Step, title: str, tasks: list[Task], engine: EngineConfig, given: int | None = None) -> list[Record]:
    """Records of all tasks, in their order, after doing those that are not done.

    `given`: how many rows all of them should read, by what the step before wrote. Raises OperationError where they
    read others, and for a task that the engine lost.
    """
    todo = [task for task in tasks if step.find(task) is None]
    if todo:
        _clean(step, tasks, todo)
        sizes = {task.name: task.bytes for task in todo}
        with bar(title, sum(sizes.values()), "B") as progress:
            threads = step.threads and sum(sizes.values()) < _LITTLE
            for result in run_tasks(step, [asdict(task) for task in todo], engine, threads):
                progress.update(sizes[result["name"]])
    return _all_done(step, title, tasks, given)


def _all_done(step: Step, title: str, tasks: list[Task], given: int | None) -> list[Record]:
    records = [record for task in tasks if (record := step.find(task))]
    if len(records) < len(tasks):
        lost = sorted({task.name for task in tasks} - {record.name for record in records})
        raise OperationError(
            f"{title}: of {len(tasks):,} tasks {len(lost):,} left nothing in {step.folder}, though none failed: "
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


def _clean(step: Step, tasks: list[Task], todo: list[Task]) -> None:
    """Remove what killed workers, other lists of shards and outdated tasks left behind."""
    step.folder.mkdir(parents=True, exist_ok=True)
    again = {task.name for task in todo}
    done = [record for task in tasks if task.name not in again and (record := step.find(task))]
    keep = {output.name for record in done for output in record.outputs} | {f"{record.name}.json" for record in done}
    for path in step.folder.iterdir():
        if path.name not in keep and not is_lock(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
