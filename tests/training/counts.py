"""Training that counts: of each step, the collectives of this rank and the times its host waits for a device."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.training import loop, train_on_rank

COLLECTIVES = [
    *("all_reduce", "all_gather", "all_gather_into_tensor", "all_gather_object", "broadcast", "broadcast_object_list"),
    *("barrier", "gather_object", "reduce_scatter_tensor", "_all_gather_base", "_reduce_scatter_base"),
]
# With the value in hand, the host has waited for what computes it.
WAITS = ("item", "tolist", "cpu", "__bool__", "__int__", "__float__")
# What stands in for kernels of Transformer Engine where there is no CUDA.
STAND_INS = ("/torch/", "/megatron/core/utils.py", "/snowcoder/model/")


def train_counted(config: Config, output: str) -> None:
    """Train; OUTPUT.<rank> gets what each step counted, one line a step."""
    counts: Counter[str] = Counter()
    for name in COLLECTIVES:
        setattr(dist, name, _counted(getattr(dist, name), name, counts))
    for name in WAITS:
        setattr(torch.Tensor, name, _counted(getattr(torch.Tensor, name), "waits", counts))
    step = loop._step
    path = Path(f"{output}.{dist.get_rank()}")

    def counting(*arguments: Any) -> None:
        counts.clear()
        step(*arguments)
        with path.open("a") as file:
            file.write(json.dumps(counts) + "\n")

    loop._step = counting
    train_on_rank.train_on_rank(config)


def _counted(function: Callable[..., Any], name: str, counts: Counter[str]) -> Callable[..., Any]:
    def call(*arguments: Any, **more: Any) -> Any:
        caller = sys._getframe(1).f_code
        if not any(place in caller.co_filename for place in STAND_INS):
            counts[f"{name} in {Path(caller.co_filename).stem}.{caller.co_name}"] += 1
        return function(*arguments, **more)

    return call
