"""The demo's source code: what is on any machine that runs Python."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import NamedTuple


class Sources(NamedTuple):
    """(repository, folder) pairs for each source of the recipe; no folder is in two of them."""

    raw: list[tuple[str, Path]]
    hqcode: list[tuple[str, Path]]


# What the annotator learns from: well-kept packages of the standard library.
_HQCODE = ["asyncio", "collections", "concurrent", "email", "importlib", "json", "logging", "unittest"]
# Installed with snowcoder, in Python, C++ and JavaScript.
_RAW = [
    "boto3",
    "hydra",
    "jinja2",
    "matplotlib",
    "megatron/core",
    "numpy/lib",
    "omegaconf",
    "pydantic",
    "tensorboard",
    "torch/include/c10",
    "torch/nn",
    "torch/optim",
    "tqdm",
    "transformers/generation",
    "werkzeug",
]


def demo_sources() -> Sources:
    paths = sysconfig.get_paths()
    library, packages = Path(paths["stdlib"]), Path(paths["purelib"])
    return Sources(
        raw=[(name, packages / name) for name in _RAW if (packages / name).is_dir()],
        hqcode=[(f"cpython/{name}", library / name) for name in _HQCODE if (library / name).is_dir()],
    )
