"""Free space and the right to write where checkpoints go."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.doctor.finding import Finding, phases_of
from snowcoder.model.size import parameters

_COMFORT = 1.5  # times what is needed: below that, a warning


def check(config: Config) -> Iterator[Finding]:
    folder = existing(Path(config.run.dir))
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".snowcoder-doctor-"):
            pass
    except OSError as error:
        yield Finding("problem", "disk", f"cannot write in {folder}: {error.strerror}; set run.dir")
        return
    checkpoints = Path(config.run.dir) / "train" / "checkpoints"
    there = sum(path.stat().st_size for path in checkpoints.rglob("*") if path.is_file())
    each, count, free = checkpoint_bytes(config), checkpoints_kept(config), shutil.disk_usage(folder).free
    missing = max(0, count * each - there)
    text = (
        f"{_gib(free)} free in {folder}; {_gib(missing)} are still needed for {count} checkpoints of {_gib(each)} "
        "(checkpoint.keep, the ends of phases, the one being written)"
    )
    if free < missing:
        yield Finding("problem", "disk", f"{text}: make room, lower checkpoint.keep, or set run.dir")
    else:
        yield Finding("warning" if free < _COMFORT * missing else "ok", "disk", text)


def checkpoint_bytes(config: Config) -> int:
    """Weights, two moments and the optimizer's own fp32 weights of every parameter; padding rows included."""
    model = config.model
    padding = -model.vocab_size % model.pad_vocab_to * model.hidden * (1 if model.tied_embeddings else 2)
    each = (2 if config.precision.dtype == "bf16" else 4) + 12
    return each * (parameters(model).total + padding)


def checkpoints_kept(config: Config) -> int:
    return config.checkpoint.keep + len(phases_of(config)) + 1


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _gib(count: float) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"
