"""The trackers that the config asks for."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.training.events import Events
from snowcoder.training.trackers.mlflow import MLflow
from snowcoder.training.trackers.prometheus import Prometheus
from snowcoder.training.trackers.sender import Sender
from snowcoder.training.trackers.tensorboard import TensorBoard
from snowcoder.training.trackers.tracker import Tracker
from snowcoder.training.trackers.wandb import WandB


def open_trackers(config: Config, folder: Path, step: int, events: Events) -> list[Sender]:
    """What the config asks for, from the first record after `step` on. `folder` keeps the names of its runs."""
    openers: dict[str, Callable[[], Tracker]] = {}
    if config.logging.tensorboard:
        openers["TensorBoard"] = lambda: TensorBoard(folder / "tensorboard", step)
    if config.logging.wandb:
        openers["W&B"] = lambda: WandB(config, folder)
    if config.logging.mlflow:
        openers["MLflow"] = lambda: MLflow(config, folder)
    if config.logging.prometheus:
        openers["Prometheus"] = lambda: Prometheus(config)
    return [Sender(name, opener, events) for name, opener in openers.items()]


def close_trackers(trackers: list[Sender]) -> None:
    for tracker in trackers:
        tracker.stop()
    deadline = time.monotonic() + Sender.close_seconds
    for tracker in trackers:
        tracker.join(deadline)
