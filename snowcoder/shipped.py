"""What comes with snowcoder besides its code: presets, a tokenizer and job scripts, wherever it is installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """A file or folder of the wheel, which has conf/, slurm/ and tokenizer/ within the package, or of the checkout."""
    within = _PACKAGE / name
    return within if within.exists() else _PACKAGE.parent / name


def own_or_shipped(name: str) -> Path:
    """What has this name in the current folder, or else what ships under it, if anything does."""
    return Path(name) if Path(name).exists() or not shipped(name).exists() else shipped(name)
