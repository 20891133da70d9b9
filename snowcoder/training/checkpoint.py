"""Checkpoints: megatron-core's dist_checkpointing, made complete by a record that is written last.

`step-00000040/` holds the sharded tensors; `COMPLETE.json` names every file with size and digest, the phases that led
here, the ledger of tokens and each source's cursor. A folder without a valid record does not count as a checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch.distributed as dist
from megatron.core import dist_checkpointing, parallel_state
from megatron.core.dist_checkpointing.serialization import (
    get_default_load_sharded_strategy,
    get_default_save_sharded_strategy,
)
from megatron.core.dist_checkpointing.strategies.async_utils import AsyncCallsQueue
from megatron.core.dist_checkpointing.strategies.fully_parallel import (
    FullyParallelLoadStrategyWrapper,
    FullyParallelSaveStrategyWrapper,
)
from megatron.core.models.gpt import GPTModel

from snowcoder.config.schema import CheckpointConfig, Config
from snowcoder.lineage.digest import digest_file
from snowcoder.storage.atomic import write_json
from snowcoder.training.completion import RECORD, complete_steps, step_folder
from snowcoder.training.run import Model, Run

# The library's default type raises on save; dp_reshardable cannot change TP or PP.
_METADATA = {
    "distrib_optim_sharding_type": "fully_reshardable",
    "singleton_local_shards": False,
    "chained_optim_avoid_prefix": True,
}


class Checkpoints:
    """Writes and prunes the checkpoints of one run. All ranks call every method together."""

    def __init__(self, folder: Path, config: CheckpointConfig) -> None:
        self.folder = folder
        self.config = config
        self._queue = AsyncCallsQueue()  # its persistent mode hangs on CPUs

    def save(self, run: Run) -> None:
        """Save at `run.step`. If asynchronous, returns once the tensors are staged; `poll` completes it."""
        self._save(describe(run), lambda: _state(run.model, loading=False))

    def save_weights(self, chunks: list[GPTModel], record: dict[str, Any]) -> None:
        """Save weights alone, from which a run starts with a new optimizer. Returns when it is complete."""
        self._save(record, lambda: _weights(chunks))
        self.wait()

    def _save(self, record: dict[str, Any], build_state: Callable[[], dict[str, Any]]) -> None:
        target = step_folder(self.folder, record["step"])
        if _on_all(target.exists() and (target / RECORD).exists()):
            return
        self.wait()  # one save in flight
        _on_rank_0(lambda: _empty(target))
        request = dist_checkpointing.save(
            build_state(),
            str(target),
            FullyParallelSaveStrategyWrapper(
                get_default_save_sharded_strategy(), parallel_state.get_data_parallel_group(with_context_parallel=True)
            ),
            async_sharded_save=self.config.asynchronous,
            content_metadata=_METADATA,
        )
        if not self.config.asynchronous:
            self._complete(target, record)
            return
        request.add_finalize_fn(lambda: self._complete(target, record))
        self._queue.schedule_async_request(request)

    def poll(self) -> None:
        """Complete the save in flight if all ranks have written their part."""
        self._queue.maybe_finalize_async_calls(blocking=False)

    def wait(self) -> None:
        self._queue.maybe_finalize_async_calls(blocking=True)

    def _complete(self, target: Path, record: dict[str, Any]) -> None:
        files = _digest_files(target)
        if dist.get_rank() == 0:
            write_json(target / RECORD, {**record, "files": files})
            self._prune()
        dist.barrier()

    def _prune(self) -> None:
        steps = complete_steps(self.folder)
        for step in steps[: -self.config.keep]:
            folder = step_folder(self.folder, step)
            if json.loads((folder / RECORD).read_text())["phase_end"]:
                continue
            (folder / RECORD).unlink()  # from here on it is no checkpoint, however far the removal gets
            shutil.rmtree(folder)


def load_checkpoint(model: Model, folder: Path) -> None:
    """Load weights and optimizer state from one checkpoint, whatever layout saved it."""
    strategy = FullyParallelLoadStrategyWrapper(
        get_default_load_sharded_strategy(str(folder)),
        parallel_state.get_data_parallel_group(with_context_parallel=True),
    )
    loaded = dist_checkpointing.load(_state(model, loading=True), str(folder), strategy)
    _put_weights(model.bare_chunks, loaded)
    model.optimizer.load_state_dict(loaded["optimizer"])


def load_weights(chunks: list[GPTModel], folder: Path) -> None:
    """Load weights alone, as export does. No optimizer state is read."""
    _put_weights(chunks, dist_checkpointing.load(_weights(chunks), str(folder)))


def describe(run: Run) -> dict[str, Any]:
    """What the record says of a run at its present step."""
    plan, step = run.plan, run.step
    begun = [phase for phase in plan.phases if phase.first_step < step]
    return {
        "step": step,
        "phase": begun[-1].name if begun else plan.phases[0].name,
        "phase_end": any(step == phase.first_step + phase.steps for phase in plan.phases),
        "phases": {phase.name: phase.digest for phase in begun},
        "ledger": plan.consumed(step),
        "cursors": plan.cursors(step),
        "plan": plan.digest,
        "imported": run.imported,
        "skips": [skip.model_dump() for skip in run.skips.all if skip.first < step],
        "recent_losses": run.losses,
        **describe_model(run.config),
    }


def describe_model(config: Config) -> dict[str, Any]:
    return {name: getattr(config, name).model_dump() for name in ("model", "parallel", "precision")}


def _put_weights(chunks: list[GPTModel], loaded: dict[str, Any]) -> None:
    for number, chunk in enumerate(chunks):
        chunk.load_state_dict(loaded[f"model{number}"], strict=False)


def _metadata() -> dict[str, Any]:
    # A process group cannot be saved, so it is added to each call and not to the saved metadata.
    return {**_METADATA, "dp_cp_group": parallel_state.get_data_parallel_group(with_context_parallel=True)}


def _weights(chunks: list[GPTModel]) -> dict[str, Any]:
    return {f"model{n}": chunk.sharded_state_dict(metadata=_metadata()) for n, chunk in enumerate(chunks)}


def _state(model: Model, loading: bool) -> dict[str, Any]:
    weights = _weights(model.bare_chunks)
    optimizer = model.optimizer.sharded_state_dict(weights, is_loading=loading, metadata=_metadata())
    return {**weights, "optimizer": optimizer}


def _digest_files(target: Path) -> list[dict[str, Any]]:
    """Size and digest of every file; each rank digests the ones it wrote, rank 0 the shared ones."""
    rank = dist.get_rank()
    own = [path for path in target.iterdir() if path.name.startswith(f"__{rank}_")]
    if rank == 0:
        own += [path for path in target.iterdir() if not path.name.startswith("__")]
    found = [{"name": path.name, "bytes": path.stat().st_size, "digest": digest_file(path)} for path in own]
    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, found)
    return sorted((file for files in gathered for file in files), key=lambda file: file["name"])


def _empty(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)  # what a killed save left behind
    target.mkdir(parents=True)


def _on_rank_0(action: Any) -> None:
    if dist.get_rank() == 0:
        action()
    dist.barrier()


def _on_all(value: bool) -> bool:
    """Rank 0's answer, on every rank: a shared file system may show files to them at different times."""
    answer = [value]
    dist.broadcast_object_list(answer, src=0)
    return answer[0]
