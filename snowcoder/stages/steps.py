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
from pathlib import Path
from typing import Any

from snowcoder.config.corpus_schema import EngineConfig
from snowcoder.lineage.manifest import Output
from snowcoder.progress import bar
from snowcoder.stages.engine import run_tasks
from snowcoder.stages.lock import is_lock
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

    @property
    def digest(self) -> str:
        return digest_json([asdict(output) for output in self.outputs])

    def paths(self, folder: Path, suffix: str = "") -> list[Path]:
        return [folder / output.name for output in self.outputs if output.name.endswith(suffix)]


class Step(ABC):
    """A function of a task, done in a worker process. `folder` holds its files and records."""

    # Nearly all of its work is done by libraries that let other threads run: where there is little, those do it.
    threads = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def make(self, task: Task, folder: Path) -> dict[str, Any]:
        """Write the task's files into `folder`, which is empty, and return its counts."""

    def __call__(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Files appear under their names when they are whole, the record when all of them have."""
        task = Task(**raw)
        draft = self.folder / f".{task.name}.{os.getpid()}"
        with writing_to(self.folder):
            draft.mkdir(parents=True)
            try:
                counts = self.make(task, draft)
                outputs = [_publish(path, self.folder) for path in sorted(draft.iterdir())]
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            record = Record(task.name, task.made_from, outputs, counts, task.bytes)
            write_json(self._record(task.name), asdict(record))
        return {"name": task.name}

    def find(self, task: Task) -> Record | None:
        """The task's record, if it need not be done again."""
        try:
            raw = json.loads(self._record(task.name).read_text())
            record = Record(**{**raw, "outputs": [Output(**output) for output in raw["outputs"]]})
        except (FileNotFoundError, ValueError, TypeError):
            return None
        if record.made_from != task.made_from or not all(map(self._is_there, record.outputs)):
            return None
        return record

    def _record(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _is_there(self, output: Output) -> bool:
        path = self.folder / output.name
        return path.is_file() and path.stat().st_size == output.bytes


def run_step(step: Step, title: str, tasks: list[Task], engine: EngineConfig) -> list[Record]:
    """Records of all tasks, in their order, after doing those that are not done."""
    todo = [task for task in tasks if step.find(task) is None]
    if todo:
        _clean(step, tasks, todo)
        sizes = {task.name: task.bytes for task in todo}
        with bar(title, sum(sizes.values()), "B") as progress:
            threads = step.threads and sum(sizes.values()) < _LITTLE
            for result in run_tasks(step, [asdict(task) for task in todo], engine, threads):
                progress.update(sizes[result["name"]])
    records = [step.find(task) for task in tasks]
    assert all(records)
    return [record for record in records if record]


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
