"""Weights & Biases."""

from __future__ import annotations

import importlib
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.training.trackers.tracker import CLOSE_SECONDS, SECTIONS, remember, remembered


def wandb_login(verify: bool) -> bool:
    """Whether W&B has a key, or needs none. `verify`: raises where its server does not take the key."""
    wandb: Any = importlib.import_module("wandb")
    if wandb.setup().settings.mode not in ("online", "shared"):
        return True
    found: bool = wandb.login(prompt=False, verify=verify)
    return found


class WandB:
    """Steps are a column: W&B's own count cannot go back, which a run that rolls back or resumes does."""

    def __init__(self, config: Config, folder: Path) -> None:
        wandb: Any = importlib.import_module("wandb")
        if not wandb_login(verify=False):  # a rank must not wait for somebody to type one
            raise UserError("there is no key: `wandb login`, WANDB_API_KEY, or WANDB_MODE=offline")
        project = config.logging.wandb or ""
        number = remembered(folder / "wandb.run", project) or uuid.uuid4().hex[:8]
        self.run = wandb.init(
            project=project,
            id=number,
            name=Path(config.run.dir).name,
            dir=str(folder),
            resume="allow",
            allow_val_change=True,
            config=config.model_dump(mode="json", include=SECTIONS),
            # It neither reads the console, nor sends the checkout's uncommitted changes.
            settings=wandb.Settings(console="off", disable_git=True, finish_timeout=CLOSE_SECONDS),
        )
        remember(folder / "wandb.run", project, number)
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    def log(self, scalars: dict[str, float], step: int) -> None:
        try:
            self.run.log({**scalars, "step": step})
        except Exception:
            # Its service is gone, and it would ask for the same one ever after.
            with suppress(Exception):
                importlib.import_module("wandb").teardown()
            raise

    def rewind(self, step: int) -> None:
        """Both passes stay in the history."""

    def close(self) -> None:
        self.run.finish()
