"""Samples read ahead of the step are those that would be read in line, wherever the run goes; and no step waits."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from snowcoder.config.compose import load_config
from snowcoder.errors import UserError
from snowcoder.mixture.samples import SampleReader
from snowcoder.training import read_ahead
from snowcoder.training.batches import MicroBatch, micro_batches
from snowcoder.training.read_ahead import ReadAhead, batches_of
from snowcoder.training.recovery.skips import Skips
from tests.mixture.small_plan import configure, open_plan, phase, write_index

_PATIENCE = 60  # seconds, after which a test that hangs has failed
# Other batches, lengths and sources from step 5 on.
PHASES = {
    "phase1": phase(5, 8, 32, raw=(0.75, 3), best=(0.25, 5)),
    "phase2": phase(6, 4, 24, raw=(0.5, 3), best=(0.5, 7)),
}


class Reader:
    """Reads a step's number when it may, and tells what it has read."""

    def __init__(self) -> None:
        self.may_read = threading.Semaphore(0)
        self.read = threading.Condition()
        self.steps: list[int] = []

    def __call__(self, step: int) -> int:
        assert self.may_read.acquire(timeout=_PATIENCE)
        with self.read:
            self.steps.append(step)
            self.read.notify_all()
        return step

    def until(self, count: int) -> list[int]:
        with self.read:
            assert self.read.wait_for(lambda: len(self.steps) >= count, _PATIENCE)
            return list(self.steps)


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.may_read.release(1000)  # no thread is left to wait


def up_to(last: int) -> Any:
    return lambda step: range(step, last)


def test_the_next_steps_are_read_while_a_step_computes_and_are_not_waited_for(reader: Reader) -> None:
    with ReadAhead(reader, up_to(100)) as batches:
        reader.may_read.release(3)
        assert batches.take(0) == 0
        assert reader.until(3) == [0, 1, 2]  # nobody asked for them yet
        # The reader is stuck now, as on a slow disk: two steps need not notice.
        assert [batches.take(1), batches.take(2)] == [1, 2]
        assert reader.steps == [0, 1, 2]


def test_no_more_is_read_ahead_than_two_steps_and_nothing_after_the_last(reader: Reader) -> None:
    reader.may_read.release(1000)
    with ReadAhead(reader, up_to(5)) as batches:
        batches.take(0)
        assert len(batches._batches) == 2
        for step in range(1, 5):
            batches.take(step)
        assert not batches._batches
    assert reader.steps == [0, 1, 2, 3, 4]


def test_an_error_comes_with_the_step_that_it_is_of() -> None:
    def read(step: int) -> int:
        if step == 2:
            raise UserError("the index is not the one that was planned")
        return step

    with ReadAhead(read, up_to(9)) as batches:
        assert [batches.take(0), batches.take(1)] == [0, 1]
        with pytest.raises(UserError, match="not the one that was planned"):
            batches.take(2)


def test_the_thread_ends_with_the_run_also_by_an_error(reader: Reader) -> None:
    reader.may_read.release(1)
    batches = ReadAhead(reader, up_to(100))
    batches.take(0)
    (thread,) = batches._thread._threads
    with pytest.raises(KeyboardInterrupt), batches:
        raise KeyboardInterrupt
    reader.may_read.release(1)  # of the one that is being read; no other is begun
    thread.join(_PATIENCE)
    assert not thread.is_alive()
    assert reader.steps in ([0], [0, 1])


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleReader:
    folder = tmp_path_factory.mktemp("read-ahead")
    write_index(folder / "index" / "raw", [13, 40, 7, 25, 90, 61] * 9)
    write_index(folder / "index" / "best", [11, 28, 5] * 9, first=100_000)
    return open_plan(configure(folder, **PHASES))


@pytest.fixture
def run(tmp_path: Path, samples: SampleReader, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is looked at of a run, on the second of two data-parallel ranks."""
    for name, value in {"rank": 1, "world_size": 2}.items():
        monkeypatch.setattr(read_ahead.parallel_state, f"get_data_parallel_{name}", lambda value=value: value)
    config = load_config(["parallel.micro_batch=2", "packing.document_mask=true"])
    skips = Skips(tmp_path / "skips.json", samples.plan)
    return SimpleNamespace(
        config=config, plan=samples.plan, reader=samples, skips=skips, last_step=samples.plan.total_steps
    )


def in_line(run: Any, step: int) -> list[MicroBatch]:
    slots = {8: [2, 3, 6, 7], 4: [2, 3]}[run.plan.phase_at(step).global_batch]
    return list(micro_batches(run.reader.batch(step, slots), 2, document_mask=True))


def assert_equal(ours: list[MicroBatch], theirs: list[MicroBatch]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        for name, value in vars(other).items():
            found = getattr(one, name)
            assert torch.equal(found, value) if torch.is_tensor(value) else found == value


def take_all(run: Any, batches: ReadAhead[list[MicroBatch]], steps: Iterable[int]) -> None:
    for step in steps:
        if not run.skips.at(step):
            assert_equal(batches.take(step), in_line(run, step))


def test_phases_skips_and_rollbacks_give_the_batches_of_reading_in_line(run: Any) -> None:
    run.skips.new(4, 6, "from before: the end of a phase and the begin of the next")
    with batches_of(run) as batches:
        take_all(run, batches, range(9))
        run.skips.new(7, 9, "a spike: back to step 2", back_to=2)
        take_all(run, batches, range(2, 11))


def test_a_run_that_was_killed_reads_the_same(run: Any) -> None:
    with batches_of(run) as batches:
        take_all(run, batches, range(4))
    with batches_of(run) as batches:  # another process, which goes on from the checkpoint at step 3
        take_all(run, batches, range(3, 11))


def test_steps_that_are_passed_over_are_not_read(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    batch = run.reader.batch
    monkeypatch.setattr(run.reader, "batch", lambda step, slots: read.append(step) or batch(step, slots))
    run.skips.new(2, 5, "bad")
    with batches_of(run) as batches:
        for step in (0, 1, 5):
            batches.take(step)
    assert read[:3] == [0, 1, 5]
