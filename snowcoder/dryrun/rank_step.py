"""The steps of one rank: our own model, loop and optimizer, watched. The ranks it talks to do not exist."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from megatron.core import parallel_state
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing._internal.distributed.fake_pg import FakeStore

from snowcoder.config.schema import Config, LearningRateConfig, PhaseConfig
from snowcoder.dryrun import stand_ins
from snowcoder.dryrun.extrapolate import extrapolate
from snowcoder.dryrun.memory_ledger import storage_key
from snowcoder.dryrun.report import RankReport
from snowcoder.dryrun.step_sizes import longest, micro_batches_of, sizes_of_steps
from snowcoder.dryrun.watch import Watch
from snowcoder.mixture.phase_plan import PhasePlan, Plan
from snowcoder.mixture.samples import Samples
from snowcoder.model.initialize import tensor_shape
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.loop import run_phases
from snowcoder.training.rank.process_groups import divide_ranks
from snowcoder.training.state import Run, build_model
from snowcoder.training.step import StepResult

_GRANULES = {"transformer_engine": 512, "torch": 64}  # of CUDA's caching allocator, and of torch's on CPUs


def fake_step(config: Config, rank: int) -> RankReport:
    """On fake tensors, in a world of `parallel.world_size` ranks that is made up. Patches this process for good."""
    watch = Watch(_GRANULES[config.device.kernels], fake=True)
    stand_ins.install_for_values()
    if config.device.kernels == "transformer_engine":
        stand_ins.install_for_engine(watch)
    try:
        with fake_world(config, rank), FakeTensorMode(allow_non_fake_inputs=True):
            return watched_step(config, watch)
    except Exception as error:
        error.add_note(watch.where)
        raise


@contextmanager
def fake_world(config: Config, rank: int) -> Iterator[None]:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(config.parallel.world_size), "LOCAL_RANK": "0"}
    dist.init_process_group("fake", rank=rank, world_size=config.parallel.world_size, store=FakeStore())
    divide_ranks(config)
    yield


def watched_step(config: Config, watch: Watch) -> RankReport:
    """In the process groups that are there, on real tensors or in a `FakeTensorMode`.

    The first step makes Adam's state. Then follow one with all micro batches or, of many, two with some of them.
    """
    phase, wanted = longest(config), micro_batches_of(config)
    measured = sizes_of_steps(wanted, config.parallel.pipeline)
    stand_ins.read_in_line()
    with watch:
        run = _build(config, phase, [config.parallel.pipeline, *measured])
        watch.follow(run.model.bare_chunks)
        steps = _Steps(run, watch)
        run_phases(run, [steps])
    return extrapolate(steps.reports[1:], wanted)


def _build(config: Config, phase: PhaseConfig, sizes: Sequence[int]) -> Run:
    unit = config.parallel.micro_batch * config.parallel.data
    plan = Plan(
        seed=config.run.seed,
        phases=tuple(_phase(config, phase, step, size * unit) for step, size in enumerate(sizes)),
    )
    model = build_model(config, lambda name: torch.zeros(tensor_shape(name, config.model)))
    everything = config.model_copy(update={"run": config.run.model_copy(update={"phases": []})})
    reader: Any = _RandomSamples(config, phase.sequence_length)
    skips: Any = _NoSkips()
    return Run(config=everything, plan=plan, reader=reader, model=model, skips=skips)


def _phase(config: Config, phase: PhaseConfig, step: int, global_batch: int) -> PhasePlan:
    rate = LearningRateConfig(peak=config.optimizer.lr, warmup_steps=0, shape="constant", final_ratio=1.0)
    return PhasePlan(
        name=f"step {step}",
        first_step=step,
        steps=1,
        sequence_length=phase.sequence_length,
        global_batch=global_batch,
        learning_rate=rate,
        optimizer_state="keep",
        sources=(),
        digest="",
    )


class _RandomSamples:
    """Tokens of no text; with document masks, two documents a sequence."""

    def __init__(self, config: Config, length: int) -> None:
        self.config, self.length = config, length

    def batch(self, step: int, slots: Sequence[int]) -> Samples:
        shape = len(slots), self.length + 1
        tokens = np.random.default_rng(step).integers(0, self.config.model.vocab_size, shape)
        middle = [self.length // 3] if self.config.packing.document_mask else []
        return Samples(tokens, [np.array([0, *middle])] * len(slots), np.ones((len(slots), self.length), dtype=bool))


class _NoSkips:
    def at(self, step: int) -> None:
        return None

    def new(self, first: int, last: int, why: str) -> Any:
        raise AssertionError(f"a dry step was skipped: {why}")


class _Steps(Callback):
    """Reports each step. The persistent storages are named after what they are, once a step has made all of them."""

    def __init__(self, run: Run, watch: Watch) -> None:
        self.watch, self.reports = watch, list[RankReport]()
        optimizer: Any = run.model.optimizer
        prepare = optimizer.prepare_grads

        def update() -> Any:
            watch.stage = "update"
            return prepare()

        optimizer.prepare_grads = update

    def on_start(self, run: Run) -> None:
        self._begin(run)

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        run.stop = None  # numbers asked of fake tensors are 1, and so is the number of a signal
        size = phase.global_batch // (run.config.parallel.micro_batch * run.config.parallel.data)
        self.reports.append(_report(run, self.watch, size))
        self._begin(run)

    def _begin(self, run: Run) -> None:
        self.watch.memory.rename(_holders(run))
        self.watch.stage = "backward pass"
        self.watch.forget()


def _holders(run: Run) -> dict[int, str]:
    """Storages of weights, gradients and optimizer state."""
    found: dict[int, str] = {}
    for part in getattr(run.model.optimizer, "chained_optimizers", [run.model.optimizer]):
        states = [value for state in part.optimizer.state.values() for value in state.values()]
        masters = [parameter for group in part.optimizer.param_groups for parameter in group["params"]]
        found |= {storage_key(value): "optimizer state" for value in [*states, *masters] if torch.is_tensor(value)}
    for chunk in run.model.chunks:
        for parameter in chunk.parameters():
            gradient = getattr(parameter, "main_grad", None)
            found |= {storage_key(gradient): "gradients"} if gradient is not None else {}
            found[storage_key(parameter)] = "weights"
    return found


def _report(run: Run, watch: Watch, size: int) -> RankReport:
    return RankReport(
        rank=dist.get_rank(),
        stage=parallel_state.get_pipeline_model_parallel_rank(),
        parameters=sum(parameter.numel() for chunk in run.model.chunks for parameter in chunk.parameters()),
        held={name: float(size) for name, size in watch.memory.at_peak.items() if size},
        peak_in=watch.memory.peak_in,
        matmul_flops=watch.matmul_flops,
        attention_flops=watch.attention_flops,
        traffic=watch.traffic.traffic(),
        micro_batches=size,
        measured=[size],
    )
