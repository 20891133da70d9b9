"""Lets a rank import megatron-core without what it would load besides, and a rank never uses."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# megatron-core imports them, where they are installed, for its own timers and its inference: a fifth of a rank's start.
# Our trackers import them when they are asked for.
_UNUSED = ("wandb", "tensorboard")


@contextmanager
def light_imports() -> Iterator[None]:
    """Within it those packages are not to be had; and garbage is not looked for, since what is imported is none."""
    hidden = [name for name in _UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # as Python itself marks what cannot be imported
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        for name in hidden:
            del sys.modules[name]
