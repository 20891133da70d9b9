"""Collectives as torch's c10d operators: which group, what kind, how many bytes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state

from snowcoder.dryrun.report import Kind, Traffic

_KINDS: dict[str, Kind] = {
    "allreduce_": "all-reduce",
    "allreduce_coalesced_": "all-reduce",
    "_allgather_base_": "all-gather",
    "allgather_into_tensor_coalesced_": "all-gather",
    "allgather_": "all-gather",
    "_reduce_scatter_base_": "reduce-scatter",
    "reduce_scatter_tensor_coalesced_": "reduce-scatter",
    "broadcast_": "broadcast",
    "send": "send",
    "recv_": "receive",
}
Call = tuple[str, Kind]  # group, kind


class TrafficLedger:
    """Counts the calls, and the bytes of the larger of their tensors, input or output."""

    def __init__(self) -> None:
        self.calls: Counter[Call] = Counter()
        self.bytes: Counter[Call] = Counter()
        self.groups: dict[str, list[int]] = {}

    def add(self, operator: str, arguments: Any) -> None:
        group = _group_of(arguments)
        if group is None or operator == "barrier":
            return
        name = self._name(group)
        call = name, _KINDS.get(operator, "other")
        self.calls[call] += 1
        self.bytes[call] += max((_bytes(argument) for argument in arguments), default=0)

    def _name(self, group: dist.ProcessGroup) -> str:
        ranks = dist.get_process_group_ranks(group)
        known = named_groups()
        exact = (name for name, other in known.items() if other is group)
        alike = (name for name, other in known.items() if dist.get_process_group_ranks(other) == ranks)
        name = next(exact, None) or next(alike, f"{len(ranks)} from {ranks[0]} on")
        self.groups[name] = ranks
        return name

    def traffic(self) -> list[Traffic]:
        """What was counted, most bytes first."""
        found = [
            Traffic(
                group=group, ranks=_extent(self.groups[group]), kind=kind, calls=calls, bytes=self.bytes[group, kind]
            )
            for (group, kind), calls in self.calls.items()
        ]
        return sorted(found, key=lambda one: -one.bytes)


def named_groups() -> dict[str, dist.ProcessGroup]:
    """megatron-core's groups of this rank that a step talks in."""
    groups = {
        "tensor": parallel_state.get_tensor_model_parallel_group(check_initialized=False),
        "pipeline": parallel_state.get_pipeline_model_parallel_group(check_initialized=False),
        "context": parallel_state.get_context_parallel_group(check_initialized=False),
        "data": parallel_state.get_data_parallel_group(with_context_parallel=True),
        "model": parallel_state.get_model_parallel_group(check_initialized=False),
        "embedding": parallel_state.get_embedding_group(check_initialized=False),
        "all": dist.group.WORLD,
    }
    return {name: group for name, group in groups.items() if isinstance(group, dist.ProcessGroup)}


def _extent(ranks: list[int]) -> tuple[int, int, int]:
    return len(ranks), min(ranks), max(ranks)


def _group_of(arguments: Any) -> dist.ProcessGroup | None:
    for argument in arguments:
        if isinstance(argument, torch.ScriptObject):
            try:
                return dist.ProcessGroup.unbox(argument)
            except RuntimeError:  # a reduction, not a group
                continue
    return None


def _bytes(argument: Any) -> int:
    if isinstance(argument, torch.Tensor):
        return argument.numel() * argument.element_size()
    return sum(map(_bytes, argument)) if isinstance(argument, list | tuple) else 0
