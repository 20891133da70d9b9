"""The demo's source code: what is on any machine that runs Python."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path
from typing import NamedTuple


class Sources(NamedTuple):
    """(repository, folder) pairs for each source of the recipe; no folder is in two of them."""

    raw: list[tuple[str, Path]]
    selected: list[tuple[str, Path]]
    synthetic_python: list[tuple[str, Path]]
    synthetic_other: list[tuple[str, Path]]


# Stand-ins: there is no annotator and no language model in the demo, so phases 2 and 3 train on well-kept
# packages of the standard library and on Python's and numpy's C headers.
_SELECTED = ["asyncio", "collections", "concurrent", "email", "importlib", "json", "logging", "unittest"]
_SYNTHETIC = ["http", "urllib", "xml", "multiprocessing", "ctypes", "html", "dbm", "wsgiref"]
_RAW_PACKAGES = 12


def find_sources() -> Sources:
    paths = sysconfig.get_paths()
    library, packages = Path(paths["stdlib"]), Path(paths["purelib"])
    return Sources(
        raw=_installed(packages),
        selected=[(f"cpython/{name}", library / name) for name in _SELECTED if (library / name).is_dir()],
        synthetic_python=[(f"cpython/{name}", library / name) for name in _SYNTHETIC if (library / name).is_dir()],
        synthetic_other=_headers(Path(paths["include"]), packages),
    )


def _installed(packages: Path) -> list[tuple[str, Path]]:
    """A dozen installed packages, the same ones on every run; those with several languages first."""
    names = sorted(path.name for path in packages.iterdir() if (path / "__init__.py").is_file())
    mixed = [name for name in ("matplotlib", "torch/include/c10", "tensorboard") if (packages / name).is_dir()]
    rest = random.Random(0).sample(names, k=min(_RAW_PACKAGES, len(names)))
    return [(name, packages / name) for name in dict.fromkeys([*mixed, *rest])]


def _headers(include: Path, packages: Path) -> list[tuple[str, Path]]:
    candidates = [("cpython/include", include), ("numpy/include", packages / "numpy" / "_core" / "include")]
    return [(name, folder) for name, folder in candidates if folder.is_dir()]
