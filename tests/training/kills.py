"""Training that kills itself at a place where a kill from outside would hardly ever hit: tasks of `launch`."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

from megatron.core.dist_checkpointing.strategies import filesystem_async
from torch.distributed.checkpoint import FileSystemReader

from snowcoder.config.schema import Config
from snowcoder.training import train_on_rank
from snowcoder.training.checkpoints import save, writer
from snowcoder.training.checkpoints import write as checkpoint_writer
from snowcoder.training.checkpoints.completion_record import RECORD


def train_killed(config: Config, where: str) -> None:
    {"writing": _writing, "files": _files, "record": _record, "pruning": _pruning, "loading": _loading}[where]()
    train_on_rank.train_on_rank(config)


def train_stalled(config: Config, where: str) -> None:
    """The first save's writer dies, or stops for good; later ones are well. A save has 20 seconds."""
    checkpoint_writer.Save = lambda target, record, _, saver: save.Save(target, record, 20, saver)  # type: ignore[misc,assignment]
    first = threading.Event()
    write = writer.Writer.write

    def write_or_fail(self: writer.Writer, buckets: Any) -> None:
        if not first.is_set():
            first.set()
            assert self._process.pid is not None
            os.kill(self._process.pid, {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}[where])
            dying = self._process
            dying.is_alive = lambda: True  # type: ignore[method-assign]  # it fails a moment later than that
            write(self, buckets)
            del dying.is_alive
        else:
            write(self, buckets)

    writer.Writer.write = write_or_fail  # type: ignore[method-assign]
    train_on_rank.train_on_rank(config)


def _kill(rank: int) -> None:
    os.kill(rank, signal.SIGKILL)
    threading.Event().wait()  # a writer ends with its rank


def _writing() -> None:
    """Midway through a file of a save, in the process that writes it."""
    write, rank, written = filesystem_async._write_item, os.getpid(), 0

    @functools.wraps(write)  # its signature is looked at
    def write_some(*arguments: Any, **more: Any) -> Any:
        nonlocal written
        written += 1
        return write(*arguments, **more) if written < 5 else _kill(rank)

    filesystem_async._write_item = write_some


def _files() -> None:
    """When the tensors are written, and nothing that describes them."""
    save.save_config = lambda *_: _kill(os.getpid())


def _record() -> None:
    save.write_json = lambda *_: _kill(os.getpid())


def _pruning() -> None:
    """When a checkpoint is removed, and one of its files is gone."""
    remove = shutil.rmtree

    def remove_one(path: Path | str, **more: Any) -> None:
        files = sorted(Path(path).glob("*.distcp"))
        if files and any(Path(path).parent.glob(f"*/{RECORD}")):
            files[0].unlink()
            _kill(os.getpid())
        remove(path, **more)

    shutil.rmtree = remove_one  # type: ignore[assignment]


def _loading() -> None:
    FileSystemReader.read_data = lambda *_: _kill(os.getpid())  # type: ignore[method-assign,assignment]
