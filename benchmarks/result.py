"""What a benchmark reports, and the machine it was measured on."""

from __future__ import annotations

import datetime
import json
import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = (
    "gigatoken",
    "megatron-core",
    "numpy",
    "openvino",
    "pyarrow",
    "tokenizers",
    "torch",
    "transformers",
    "xxhash",
)


@dataclass(frozen=True)
class Result:
    name: str
    ours: float
    peer: float
    unit: str
    ratio: float  # above 1: ours is ahead
    detail: dict[str, Any] = field(default_factory=dict)  # kept in the file, not in the last line

    def line(self) -> str:
        shown = asdict(self)
        shown.pop("detail")
        return json.dumps(shown)

    def save(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        path.write_text(json.dumps({**asdict(self), "machine": machine()}, indent=1) + "\n")
        return path


def machine() -> dict[str, Any]:
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "date": datetime.date.today().isoformat(),
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
