"""The batches of the next steps, read by a thread while the step at hand computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Generic, TypeVar

import torch
from megatron.core import parallel_state

from snowcoder.model import platform
from snowcoder.training.batches import MicroBatch, micro_batches, slots_of_rank
from snowcoder.training.state import Run

T = TypeVar("T")

_AHEAD = 2  # steps: one is enough for a steady reader, the other bridges a slow read


class ReadAhead(Generic[T]):
    """`read(step)` depends on the step alone, so that what was read ahead is what would be read in line.

    `following(step)`: the steps that come from `step` on. Where the run goes elsewhere instead, what was read for
    other steps is dropped.
    """

    def __init__(self, read: Callable[[int], T], following: Callable[[int], Iterable[int]]) -> None:
        self.read, self.following = read, following
        self._thread = ThreadPoolExecutor(1, "read-ahead", _use_device, (platform.device(),))
        self._batches: dict[int, Future[T]] = {}

    def __enter__(self) -> ReadAhead[T]:
        return self

    def __exit__(self, *_: Any) -> None:
        """Without waiting: what is being read is of no more use."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def take(self, step: int) -> T:
        """The batch of `step`, which is waited for if need be. Raises what reading it raised."""
        wanted = [step, *islice(self.following(step + 1), _AHEAD)]
        for other in self._batches.keys() - set(wanted):
            self._batches.pop(other).cancel()
        for each in wanted:
            if each not in self._batches:
                self._batches[each] = self._thread.submit(self.read, each)
        return self._batches.pop(step).result()


def batches_of(run: Run) -> ReadAhead[list[MicroBatch]]:
    """This rank's micro batches of the run's steps, but for those that are passed over."""

    def read(step: int) -> list[MicroBatch]:
        samples = run.reader.batch(step, _slots(run, step))
        return list(micro_batches(samples, run.config.parallel.micro_batch, run.config.packing.document_mask))

    def following(step: int) -> Iterable[int]:
        return (each for each in range(step, run.last_step) if not run.skips.at(each))

    return ReadAhead(read, following)


def _slots(run: Run, step: int) -> list[int]:
    return slots_of_rank(
        run.plan.phase_at(step).global_batch,
        run.config.parallel.micro_batch,
        parallel_state.get_data_parallel_rank(),
        parallel_state.get_data_parallel_world_size(),
    )


def _use_device(device: torch.device) -> None:
    """A new thread is on the first GPU, of which pinned memory would then take some."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
