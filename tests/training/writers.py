"""What ranks do for the test of their writers: a task of `launch`."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.filesystem import _StorageWriterTransforms
from torch.distributed.checkpoint.metadata import MetadataIndex
from torch.distributed.checkpoint.planner import WriteItem, WriteItemType

from snowcoder.config.schema import Config
from snowcoder.training.checkpoints.writer import Writer

_NUMBERS = 100_000


def write_and_change(config: Config, output: str) -> None:
    writer, tensor = Writer(), torch.ones(_NUMBERS)
    folder = Path(f"{output}{dist.get_rank()}")
    folder.mkdir()
    values, writers, problems = [], [], []
    for number in range(4):
        path = folder / f"file{number}"
        if number == 2:  # it dies in the middle of a save
            os.kill(_pid(writer), signal.SIGSTOP)
        writer.write(_buckets(path, tensor))
        pid = _pid(writer)
        tensor *= 2
        if number == 2:
            os.kill(pid, signal.SIGKILL)
        while not writer.is_over():
            time.sleep(0.01)
        problem = writer.written.problem
        problems.append(str(problem) if problem else None)
        if problem is None:
            writers.append(pid)
            values.append(_read(path, writer.written.results[0].storage_data))
    found = {"values": values, "writers": writers, "problems": problems}
    size = {"bytes": (folder / "file0").stat().st_size, "needed": 4 * _NUMBERS}
    Path(f"{output}{dist.get_rank()}.json").write_text(json.dumps(found | size))


def _pid(writer: Writer) -> int:
    assert writer._process.pid is not None
    return writer._process.pid


def _buckets(path: Path, tensor: torch.Tensor) -> Any:
    """Two tensors, the first of which moves the second away from the memory's begin."""
    items = [(WriteItem(MetadataIndex(name), WriteItemType.TENSOR, tensor_data=None), tensor) for name in "ab"]
    bucket = (str(path), path.name, ([], [items[0], (items[1][0], tensor[:1])]))
    return SimpleNamespace(write_buckets=[bucket], transforms=_StorageWriterTransforms())


def _read(path: Path, place: Any) -> float:
    found: torch.Tensor = torch.load(io.BytesIO(path.read_bytes()[place.offset : place.offset + place.length]))
    return float(found[-1])
