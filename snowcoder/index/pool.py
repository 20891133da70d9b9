"""Worker processes that index shards. One that dies is an error naming its shard, not a hang."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from snowcoder.errors import OperationError, SnowcoderError, UserError
from snowcoder.index.record import ShardRecord
from snowcoder.index.shard import Job, ShardIndexer, ShardToIndex

# A server process imports the libraries once and forks the workers. Forking this process itself
# would not be safe: it has threads.
_CONTEXT = multiprocessing.get_context("forkserver")


def warm_up() -> None:
    """Start importing what workers need while the caller does something else."""
    _CONTEXT.set_forkserver_preload(["__main__", __name__])
    forkserver.ensure_running()


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    shard: ShardToIndex

    def result(self) -> ShardRecord:
        """What came of the shard; raises what the worker raised, or that it died."""
        try:
            outcome = self.connection.recv()
        except EOFError:
            self.process.join()
            raise OperationError(
                f"{self.shard.info.key}: the worker process indexing it ended with exit code "
                f"{self.process.exitcode} (-9: killed, often for lack of memory); run again to "
                "continue from the finished shards"
            ) from None
        if isinstance(outcome, SnowcoderError):
            raise outcome
        found: ShardRecord = outcome
        return found


def index_shards(job: Job, shards: list[ShardToIndex], workers: int) -> Iterator[ShardRecord]:
    """Index `shards` in parallel; yields records as shards are finished, in any order."""
    waiting = iter(sorted(shards, key=lambda shard: -shard.info.bytes))  # the last to end are short
    running: list[_Worker] = []
    try:
        running += (_start(job, shard) for _, shard in zip(range(workers), waiting, strict=False))
        while running:
            for connection in wait([worker.connection for worker in running]):
                worker = next(w for w in running if w.connection is connection)
                yield worker.result()
                _give(worker, waiting, running)
    finally:
        for worker in running:
            worker.process.terminate()
            worker.process.join()


def _start(job: Job, shard: ShardToIndex) -> _Worker:
    ours, theirs = _CONTEXT.Pipe()
    arguments = (theirs, job, os.getcwd(), dict(os.environ))
    process = _CONTEXT.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    theirs.close()  # or the death of the worker would not be seen
    ours.send(shard)
    return _Worker(process, ours, shard)


def _give(worker: _Worker, waiting: Iterator[ShardToIndex], running: list[_Worker]) -> None:
    shard = next(waiting, None)
    worker.connection.send(shard)
    if shard is None:
        running.remove(worker)
        worker.process.join()
    else:
        worker.shard = shard


def _serve(connection: Connection, job: Job, folder: str, environment: dict[str, str]) -> None:
    """A worker's life: index the shards it is sent until it is sent None, or its parent is gone."""
    os.chdir(folder)  # where relative paths of the config begin; the server may be from elsewhere,
    os.environ.update(environment)  # and from before the caller set its credentials
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what becomes of Ctrl-C
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        indexer = None
        while (shard := connection.recv()) is not None:
            try:
                indexer = indexer or ShardIndexer(job)
                connection.send(indexer(shard))
            except SnowcoderError as error:
                plain = UserError if isinstance(error, UserError) else OperationError
                connection.send(plain(str(error)))  # its own type may not survive pickling
            except Exception:
                connection.send(OperationError(f"{shard.info.key}:\n{traceback.format_exc()}"))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        sys.exit(1)


def _end_with_parent() -> None:
    """A worker whose parent was killed stops at once: it holds the locks that the next build waits for."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
