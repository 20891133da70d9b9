"""The process beside a rank that writes its part of each checkpoint.

It is forked before the model is there, and stays: after a fork Linux copies every page of weights and optimizer state
that the next step writes, which costs a step more than the save itself. What it is to
write lies in shared memory; a pipe tells where, and what became of it.
"""

from __future__ import annotations

import mmap
import os
import pickle
import queue
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import torch
from megatron.core.dist_checkpointing.strategies.filesystem_async import FileSystemWriterAsync

from snowcoder.model import platform, versions
from snowcoder.storage.digest import digest_file
from snowcoder.training.checkpoints.checkpoint_record import CheckpointFile

_ALIGNMENT = 64  # bytes
_SLACK = 1 << 20  # bytes: what is not a tensor may be a little larger next time

versions.without_results_queue()


class Written(NamedTuple):
    """What became of a rank's part of a checkpoint."""

    problem: Exception | None
    results: list[Any]  # torch's WriteResults
    files: list[CheckpointFile]


class _Place(NamedTuple):
    """Of a tensor in the shared memory."""

    offset: int  # bytes
    shape: torch.Size
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        return self.shape.numel() * self.dtype.itemsize

    @property
    def end(self) -> int:
        return self.offset + self.bytes


class Writer:
    """The rank's side."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("checkpoint")  # /dev/shm is small in containers
        self._memory: mmap.mmap | None = None
        self._written: Written | None = None
        self._start()

    def write(self, writer: FileSystemWriterAsync) -> None:
        """Let it write the buckets of `writer`. Returns once their tensors are copied: they may change again."""
        if not self._process.is_alive():
            self._start()
        tensors = [tensor.detach() for *_, (_, tensors) in writer.write_buckets for _, tensor in tensors]
        places = _places(tensors)
        message = pickle.dumps(([writer.transforms], _placed(writer.write_buckets, places)))
        tensors.append(torch.frombuffer(bytearray(message), dtype=torch.uint8))
        places = _places(tensors)
        self._stage(tensors, places)
        self._written = None
        with suppress(OSError):  # it has died just now: `is_over` tells
            self._channel.send(places[-1])

    def is_over(self) -> bool:
        """Whether it has written all, or failed."""
        if self._written is None and self._channel.poll():
            self._written = self._receive()
        return self._written is not None

    @property
    def written(self) -> Written:
        """Of the last `write`, when it is over."""
        assert self._written is not None
        return self._written

    def give_up(self, why: str) -> None:
        """Kill it; the next `write` starts another."""
        self._process.kill()
        self._process.join()
        self._written = Written(ChildProcessError(why), [], [])

    def _start(self) -> None:
        context = get_context("fork")
        self._channel, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._descriptor, theirs, self._channel), daemon=True)
        self._process.start()
        theirs.close()  # so that its death ends the pipe

    def _receive(self) -> Written:
        try:
            found: Written = self._channel.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit status {code}"
            return Written(ChildProcessError(f"its writer {how}"), [], [])
        return found

    def _stage(self, tensors: list[torch.Tensor], places: list[_Place]) -> None:
        size = places[-1].end
        if self._memory is None or size > len(self._memory):
            os.ftruncate(self._descriptor, size + _SLACK)
            self._memory = mmap.mmap(self._descriptor, size + _SLACK)
            platform.pin(torch.frombuffer(self._memory, dtype=torch.uint8))
        for tensor, place in zip(tensors, places, strict=True):
            _view(self._memory, place).copy_(tensor, non_blocking=True)
        torch.cuda.synchronize()


def _places(tensors: list[torch.Tensor]) -> list[_Place]:
    """One after the other."""
    places: list[_Place] = []
    for tensor in tensors:
        offset = -(-places[-1].end // _ALIGNMENT) * _ALIGNMENT if places else 0
        places.append(_Place(offset, tensor.shape, tensor.dtype))
    return places


def _placed(buckets: list[Any], places: list[_Place]) -> list[Any]:
    """megatron-core's buckets, with the places of tensors for the tensors."""
    place = iter(places)
    return [
        (path, key, (pieces, [(item, next(place)) for item, _ in tensors])) for path, key, (pieces, tensors) in buckets
    ]


def _serve(descriptor: int, channel: Connection, theirs: Connection) -> None:
    """The writer's side, until its rank ends."""
    theirs.close()
    torch.set_num_threads(1)  # the threads of the rank's are not here
    # What could not be written fails again when it is collected, which Python 3.13 prints. `_write` tells the first.
    sys.unraisablehook = lambda _: None
    with suppress(EOFError):
        while True:
            message: _Place = channel.recv()
            memory = mmap.mmap(descriptor, message.end)
            channel.send(_write(memory, *pickle.loads(_view(memory, message).numpy().tobytes())))


def _write(memory: mmap.mmap, transforms: list[Any], buckets: list[Any]) -> Written:
    filled = [
        (path, key, (pieces, [(item, _view(memory, place)) for item, place in tensors]))
        for path, key, (pieces, tensors) in buckets
    ]
    try:
        with ThreadPoolExecutor() as pool:
            results = list(pool.map(partial(_write_file, transforms), filled))
            files = list(pool.map(_describe, [Path(path) for path, *_ in filled]))
    except Exception as error:
        return Written(RuntimeError(str(error).strip() or type(error).__name__), [], [])
    return Written(None, [result for each in results for result in each], files)


def _write_file(transforms: list[Any], bucket: Any) -> list[Any]:
    """megatron-core's, which wants queues."""
    count: queue.Queue[int] = queue.Queue()
    found: queue.Queue[Any] = queue.Queue()
    count.put(0)
    FileSystemWriterAsync.write_preloaded_data(transforms, 0, bucket, found, count, use_fsync=True)
    _, results = found.get()
    if isinstance(results, Exception):
        raise results
    written: list[Any] = results
    return written


def describe_files(paths: Iterable[Path]) -> list[CheckpointFile]:
    """Sizes and digests of files, which are on the disk then."""
    return [_describe(path) for path in paths]


def _describe(path: Path) -> CheckpointFile:
    with path.open("rb") as file:
        os.fsync(file.fileno())  # megatron-core syncs only some
    return CheckpointFile(name=path.name, bytes=path.stat().st_size, digest=digest_file(path))


def _view(memory: mmap.mmap, place: _Place) -> torch.Tensor:
    """With a storage of its own: torch would write all of a larger one."""
    count = place.shape.numel()
    return torch.frombuffer(memory, dtype=place.dtype, count=count, offset=place.offset).view(place.shape)
