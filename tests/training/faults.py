"""Training with a planted fault: tasks of `launch`."""

import torch
import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.training import tasks
from snowcoder.training.run import Run


def train_with_nan(config: Config, *steps: str) -> None:
    """Train, but in the backward pass of `steps` (0-based) one gradient of the last rank is not a number."""
    build_run = tasks.build_run

    def build_and_plant(config: Config) -> Run:
        run = build_run(config)
        if dist.get_rank() == dist.get_world_size() - 1:
            parameter = next(iter(run.model.bare_chunks[0].parameters()))
            parameter.register_hook(lambda g: g * torch.nan if str(run.step - 1) in steps else g)
        return run

    tasks.build_run = build_and_plant
    tasks.train(config)
