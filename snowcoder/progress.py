"""Progress of a stage: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def bar(title: str, total: float | None, unit: str, over: Iterable[Any] | None = None) -> tqdm[Any]:
    """A tqdm bar, over the items of `over` if given. `unit` "B" counts bytes with binary prefixes."""
    interactive = sys.stderr.isatty()
    return tqdm(
        over,
        desc=title,
        total=total,
        unit=unit,
        unit_scale=True,
        unit_divisor=1024 if unit == "B" else 1000,
        mininterval=0.1 if interactive else 10,
        ascii=None if interactive else True,
        dynamic_ncols=interactive,
    )
