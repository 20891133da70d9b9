"""Training with a planted fault: tasks of `launch`."""

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.mixture.samples import Samples
from snowcoder.training import step as step_module
from snowcoder.training import train_on_rank
from snowcoder.training.state import Run


def train_with_nan(config: Config, *steps: str) -> None:
    """Train, but in the backward pass of `steps` (0-based) one gradient of the last rank is not a number."""

    def plant(run: Run) -> None:
        parameter = next(iter(run.model.bare_chunks[0].parameters()))
        parameter.register_hook(lambda g: g * torch.nan if str(run.step - 1) in steps else g)

    _train_with(config, plant, ranks="last")


def train_with_nan_of_one_rank(config: Config, step: str) -> None:
    """Train, but in `step` (0-based) the last rank alone takes the gradient's norm for no number."""

    def plant(run: Run) -> None:
        measure = step_module.squared_norm
        step_module.squared_norm = lambda optimizer: (
            measure(optimizer) * (torch.nan if run.step - 1 == int(step) else 1)
        )

    _train_with(config, plant, ranks="last")


def train_with_noise(config: Config, first: str) -> None:
    """Train, but from step `first` (0-based) on every sample is noise."""

    def plant(run: Run) -> None:
        read = run.reader.batch

        def batch(step: int, slots: list[int]) -> Samples:
            samples = read(step, slots)
            if step >= int(first):
                samples.tokens[:] = np.random.default_rng(step).integers(0, 500, samples.tokens.shape)
            return samples

        run.reader.batch = batch  # type: ignore[method-assign]

    _train_with(config, plant, ranks="all")


def train_with_slow_reader(config: Config, seconds: str) -> None:
    """Train, but from the third step on the last rank waits so long for its samples."""

    def plant(run: Run) -> None:
        read = run.reader.batch

        def batch(step: int, slots: list[int]) -> Samples:
            if step >= 2:
                time.sleep(float(seconds))
            return read(step, slots)

        run.reader.batch = batch  # type: ignore[method-assign]

    _train_with(config, plant, ranks="last")


def _train_with(config: Config, plant: Callable[[Run], None], ranks: str) -> None:
    build_run = train_on_rank.build_run

    def build_and_plant(config: Config) -> Run:
        run = build_run(config)
        if ranks == "all" or dist.get_rank() == dist.get_world_size() - 1:
            plant(run)
        return run

    train_on_rank.build_run = build_and_plant
    train_on_rank.train_on_rank(config)
