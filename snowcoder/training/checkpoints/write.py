"""Checkpoints: megatron-core's dist_checkpointing, made complete by a record that is written last.

`step-00000040/` holds the sharded tensors; `COMPLETE.json` names every file with size and digest, the phases that led
here, the ledger of tokens and each source's cursor. A folder without a valid record does not count as a checkpoint.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch.distributed as dist
from megatron.core import dist_checkpointing, parallel_state
from megatron.core.dist_checkpointing.serialization import get_default_load_sharded_strategy
from megatron.core.dist_checkpointing.strategies.fully_parallel import FullyParallelLoadStrategyWrapper

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError
from snowcoder.model.decoder import Decoder
from snowcoder.training.checkpoints.checkpoint_record import CheckpointRecord
from snowcoder.training.checkpoints.completion_record import (
    RECORD,
    all_steps,
    complete_steps,
    read_record,
    step_folder,
    superseded,
)
from snowcoder.training.checkpoints.safe_metadata import safe_loading
from snowcoder.training.checkpoints.save import Save, Saver
from snowcoder.training.checkpoints.uploads import Uploads
from snowcoder.training.checkpoints.written_by import written_by
from snowcoder.training.events import Events
from snowcoder.training.identity import describe_inputs
from snowcoder.training.rank.process_groups import on_rank_0
from snowcoder.training.rank.pulse import doing
from snowcoder.training.state import Model, Run

# The library's default type raises on save; dp_reshardable cannot change TP or PP.
_METADATA = {
    "distrib_optim_sharding_type": "fully_reshardable",
    "singleton_local_shards": False,
    "chained_optim_avoid_prefix": True,
}


class Checkpoints:
    """Writes, uploads and prunes the checkpoints of one run. All ranks call every method together."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder = folder
        self.config = config.checkpoint
        self.failed: str | None = None  # why the last save failed, if it did; the same on all ranks
        self._seconds = 60 * config.launch.timeout_minutes  # of a save, as of a collective
        self._saver = Saver()
        self._in_flight: Save | None = None
        self._events = Events(config)
        self._uploads = Uploads(config, folder)

    def save(self, run: Run) -> None:
        """Save at `run.step`. If asynchronous, returns once the tensors are staged; `poll` completes it.

        A save that fails is a warning: `failed` tells.
        """
        self._save(describe_checkpoint(run), lambda: _state(run.model, loading=False))

    def save_weights(self, chunks: list[Decoder], record: CheckpointRecord) -> None:
        """Save weights alone, from which a run starts with a new optimizer. Returns when it is complete."""
        self._save(record, lambda: _weights(chunks))
        self.require()

    def poll(self) -> None:
        """Complete the save in flight if all ranks have written their part, and go on with uploads."""
        if self._in_flight is not None and self._in_flight.is_over():
            save, self._in_flight = self._in_flight, None
            self._conclude(save, save.conclude())
        if dist.get_rank() == 0:
            self._uploads.poll()

    def wait(self) -> None:
        """Until no save is in flight."""
        while self._in_flight is not None:
            doing(f"waiting for the save of {self._in_flight.target.name}")
            time.sleep(0.02)
            self.poll()

    def require(self) -> None:
        """Wait, and raise if the last save failed."""
        self.wait()
        if self.failed:
            last = on_rank_0(lambda: complete_steps(self.folder)[-1:])
            there = f"the newest complete one is of step {last[0]}" if last else "none is complete yet"
            raise OperationError(
                f"{self.failed}. Of all checkpoints, {there}. After that the same command goes on from it"
            )

    def finish_uploads(self, seconds: float = float("inf")) -> None:
        """Wait, at most so long, for what is not in the bucket yet."""
        if dist.get_rank() == 0:  # the others wait in a collective, which has a time limit
            self._uploads.finish(min(seconds, 0.8 * self._seconds))

    def _save(self, record: CheckpointRecord, build_state: Callable[[], dict[str, Any]]) -> None:
        self.wait()  # one save in flight
        target = step_folder(self.folder, record.step)
        if on_rank_0(lambda: (target / RECORD).exists()):
            self.failed = None
            return
        save = Save(target, record, self._seconds, self._saver)
        if failed := save.start(build_state(), _METADATA):
            self._conclude(save, failed)
            return
        self._in_flight = save
        if not self.config.asynchronous:
            self.wait()

    def _conclude(self, save: Save, problem: str | None) -> None:
        step = save.record.step
        self.failed = on_rank_0(lambda: self._explain(step, problem)) if problem else None
        if dist.get_rank() != 0:
            return
        if self.failed:
            self._warn(f"{self.failed}. Training goes on; the next save tries again", step)
            return
        self._events.add("checkpoint", f"{save.target.name} is complete", step)
        self._uploads.add(step)
        self._prune()

    def _explain(self, step: int, problem: str) -> str:
        """Which save failed, why, and what to do."""
        shutil.rmtree(step_folder(self.folder, step), ignore_errors=True)
        size = f", a checkpoint takes {readable.size(bytes_)}" if (bytes_ := _newest_size(self.folder)) else ""
        free = readable.size(shutil.disk_usage(self.folder).free)
        full = any(word in problem for word in ("No space left", "quota"))
        remedy = ": make room there, or lower checkpoint.keep" if full else ""
        return (
            f"the save of step {step} failed: {problem}. In {self.folder} {free} are free{size}, and older checkpoints "
            f"stay{remedy}"
        )

    def _warn(self, text: str, step: int | None) -> None:
        print(f"snowcoder: warning: {text}", flush=True)
        self._events.add("warning", text, step)

    def _prune(self) -> None:
        """What fails here fails no save."""
        try:
            steps = all_steps(self.folder)
            for step in superseded({step: self._phase_end(step) for step in steps}, self.config.keep):
                if step != self._uploads.step:  # the one on its way goes when it is there
                    remove(step_folder(self.folder, step))
        except OSError as error:
            self._warn(f"old checkpoints could not be removed: {error}", None)

    def _phase_end(self, step: int) -> bool | None:
        try:
            return read_record(step_folder(self.folder, step)).phase_end
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return True  # it may be the disk that is ill: nothing is removed on that ground


def remove(checkpoint: Path) -> None:
    """Its record first: from there on it is no checkpoint, however far the removal gets."""
    (checkpoint / RECORD).unlink(missing_ok=True)
    shutil.rmtree(checkpoint, ignore_errors=True)


def load_checkpoint(model: Model, folder: Path) -> None:
    """Load weights and optimizer state from one checkpoint, whatever layout saved it."""
    strategy = FullyParallelLoadStrategyWrapper(
        get_default_load_sharded_strategy(str(folder)),
        parallel_state.get_data_parallel_group(with_context_parallel=True),
    )
    state = _state(model, loading=True)
    with safe_loading(folder):
        loaded = dist_checkpointing.load(state, str(folder), strategy)
    _put_weights(model.bare_chunks, loaded)
    model.optimizer.load_state_dict(loaded["optimizer"])


def load_weights(chunks: list[Decoder], folder: Path) -> None:
    """Load weights alone, as export does. No optimizer state is read."""
    with safe_loading(folder):
        loaded = dist_checkpointing.load(_weights(chunks), str(folder))
    _put_weights(chunks, loaded)


def describe_checkpoint(run: Run) -> CheckpointRecord:
    """What the record says of a run at its present step."""
    plan, step = run.plan, run.step
    begun = plan.until(step).phases
    return CheckpointRecord(
        step=step,
        phase=begun[-1].name if begun else plan.phases[0].name,
        phase_end=any(step == phase.last_step for phase in plan.phases),
        **describe_inputs(plan, step, run.tokenizer, run.imported),
        ledger=plan.consumed(step),
        cursors=plan.cursors(step),
        plan=plan.digest,
        imported=run.imported,
        skips=[skip for skip in run.skips.all if skip.first < step],
        recent_losses=run.losses,
        written_by=written_by(),
        **describe_model(run.config),
    )


def describe_model(config: Config) -> dict[str, Any]:
    return {name: getattr(config, name).model_dump() for name in ("model", "parallel", "precision")}


def _put_weights(chunks: list[Decoder], loaded: dict[str, Any]) -> None:
    for number, chunk in enumerate(chunks):
        chunk.load_state_dict(loaded[f"model{number}"], strict=False)


def _metadata() -> dict[str, Any]:
    # A process group cannot be saved, so it is added to each call and not to the saved metadata.
    return {**_METADATA, "dp_cp_group": parallel_state.get_data_parallel_group(with_context_parallel=True)}


def _weights(chunks: list[Decoder]) -> dict[str, Any]:
    return {f"model{n}": chunk.sharded_state_dict(metadata=_metadata()) for n, chunk in enumerate(chunks)}


def _state(model: Model, loading: bool) -> dict[str, Any]:
    weights = _weights(model.bare_chunks)
    optimizer = model.optimizer.sharded_state_dict(weights, is_loading=loading, metadata=_metadata())
    return {**weights, "optimizer": optimizer}


def _newest_size(folder: Path) -> int:
    """Bytes of the newest complete checkpoint; 0 if it cannot be told."""
    try:
        return sum(file.bytes for file in read_record(step_folder(folder, complete_steps(folder)[-1])).files)
    except (OSError, ValueError, IndexError):
        return 0
