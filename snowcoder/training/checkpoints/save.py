"""One save by all ranks. It ends complete or failed, alike on every rank, and it always ends.

megatron-core's own end of a save raises on the rank where something is wrong, and the others wait for it for ever.
Here a rank keeps what went wrong to itself until all come together.
"""

from __future__ import annotations

import io
import shutil
import socket
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.dist_checkpointing.core import CheckpointingConfig, save_config
from megatron.core.dist_checkpointing.state_dict_utils import save_preprocess
from megatron.core.dist_checkpointing.strategies.async_utils import AsyncRequest
from megatron.core.dist_checkpointing.strategies.common import COMMON_STATE_FNAME
from megatron.core.dist_checkpointing.strategies.fully_parallel import FullyParallelSaveStrategyWrapper
from megatron.core.dist_checkpointing.strategies.torch import TorchDistSaveShardedStrategy

from snowcoder.model import platform
from snowcoder.model.versions import async_strategy
from snowcoder.storage.atomic import write_json
from snowcoder.training.checkpoints.checkpoint_record import CheckpointFile, CheckpointRecord
from snowcoder.training.checkpoints.completion_record import RECORD
from snowcoder.training.checkpoints.writer import Writer, describe_files
from snowcoder.training.rank.process_groups import on_rank_0

_FULL = "No space left on device"
_NO_ROOM = 1 << 20  # bytes free: a write that failed then did so for want of space


class _Part(NamedTuple):
    """What one rank has to say at the end of a save."""

    problem: str | None
    results: Any  # torch's WriteResults
    files: list[CheckpointFile]


class _Strategy(TorchDistSaveShardedStrategy):  # type: ignore[misc]  # its library has no types
    """megatron-core's, but for its end, which `Save.conclude` is instead."""

    def _get_save_and_finalize_callbacks(self, writer: Any, save_state_dict_ret: Any, *_: Any) -> AsyncRequest:
        self.writer, self.metadata = writer, save_state_dict_ret[1]
        return AsyncRequest(None, (), [])


class Saver:
    """What the saves of a run share: each rank's writer, and the plan of who writes what.

    Once the plans of two saves were equal, megatron-core plans no more, and nobody checks whether all is saved once.
    """

    def __init__(self) -> None:
        self.writer = Writer()
        self.strategy = _Strategy("torch_dist", 1, cached_metadata=True)
        group = parallel_state.get_data_parallel_group(with_context_parallel=True)
        shared = FullyParallelSaveStrategyWrapper(self.strategy, group, do_cache_distribution=True)
        self._strategy = shared if group.size() > 1 else self.strategy

    def preprocess(self, state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is saved in parts, and what one rank saves."""
        sharded, common = save_preprocess(state, validate_access_integrity=not self.strategy.validated_cache_reuse)
        return sharded, common

    def plan(self, sharded: dict[str, Any], target: Path) -> None:
        """Tell `strategy.writer` what this rank writes."""
        self._strategy.async_save(sharded, target, *async_strategy())


class Save:
    """All ranks call every method together."""

    def __init__(self, target: Path, record: CheckpointRecord, seconds: float, saver: Saver) -> None:
        self.target, self.record = target, record
        self.deadline = time.monotonic() + seconds
        self._saver = saver
        self._problem: str | None = None

    def start(self, state: dict[str, Any], metadata: dict[str, Any]) -> str | None:
        """Stage the tensors and start writing them. Returns why it failed, if it did."""
        sharded, common = self._saver.preprocess({**state, "content_metadata": dict(metadata)})
        if failed := on_rank_0(lambda: self._attempt(lambda: self._open(common))):
            return failed
        self._saver.plan(sharded, self.target)
        self._problem = self._attempt(lambda: self._saver.writer.write(self._saver.strategy.writer))
        if self._problem:
            self._saver.writer.give_up(self._problem)  # it was told nothing, and would be waited for
        return None

    def is_over(self) -> bool:
        """Whether all ranks have written their part, or given it up."""
        writer = self._saver.writer
        if not writer.is_over() and time.monotonic() > self.deadline:
            writer.give_up("its writer came to no end in time")
        busy = torch.tensor(int(not writer.is_over()), device=platform.device())
        dist.all_reduce(busy)
        return not busy.item()

    def conclude(self) -> str | None:
        """Make the checkpoint complete, or remove it. Returns why it failed, if it did."""
        parts: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
        dist.gather_object(self._part(), parts)
        return on_rank_0(lambda: self._complete(parts or []))

    def _open(self, common: dict[str, Any]) -> None:
        shutil.rmtree(self.target, ignore_errors=True)  # what a killed save left behind
        self.target.mkdir(parents=True)
        buffer = io.BytesIO()  # torch's own writer loses the reason of a failure
        torch.save(common, buffer)
        (self.target / COMMON_STATE_FNAME).write_bytes(buffer.getbuffer())

    def _part(self) -> _Part:
        problem, results, files = self._saver.writer.written
        told = f"{socket.gethostname()}: {self._explain(problem)}" if problem else None
        return _Part(self._problem or told, results, files)

    def _complete(self, parts: list[_Part]) -> str | None:
        problems = list(dict.fromkeys(part.problem for part in parts if part.problem))

        def finish() -> None:
            strategy = self._saver.strategy
            strategy.writer.finish(strategy.metadata, [part.results for part in parts])
            save_config(CheckpointingConfig("torch_dist", 1), str(self.target))
            shared = describe_files(path for path in self.target.iterdir() if not path.name.startswith("__"))
            files = [file for part in [*parts, _Part(None, [], shared)] for file in part.files]
            write_json(self.target / RECORD, self.record.completed(sorted(files, key=attrgetter("name"))))

        if not problems and (problem := self._attempt(finish)):
            problems = [problem]
        if problems:
            shutil.rmtree(self.target, ignore_errors=True)  # its space is needed
        return "; ".join(problems) or None

    def _attempt(self, action: Callable[[], Any]) -> str | None:
        """What went wrong, if anything. Whatever it is, the other ranks must hear of it, and not wait."""
        try:
            action()
        except Exception as error:
            return f"{socket.gethostname()}: {self._explain(error)}"
        return None

    def _explain(self, error: BaseException) -> str:
        """On its way from a writer's process an error becomes text, and may lose its reason."""
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        full = _FULL in text or (not isinstance(error, ChildProcessError) and _free(self.target) < _NO_ROOM)
        return _FULL if full else text[:300]


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return shutil.disk_usage(folder.parent).free
