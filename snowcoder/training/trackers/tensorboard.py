"""TensorBoard's event files."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class TensorBoard:
    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        self.rewind(step)

    def log(self, scalars: dict[str, float], step: int) -> None:
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, step)

    def rewind(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if hasattr(self, "writer"):
            self.writer.close()
        self.writer: Any = SummaryWriter(str(self.folder), purge_step=step + 1)

    def close(self) -> None:
        self.writer.close()
