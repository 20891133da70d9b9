"""What a dry run found out of one rank."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from snowcoder.config.section import Section

Kind = Literal["all-reduce", "all-gather", "reduce-scatter", "broadcast", "send", "receive", "other"]


class Traffic(Section):
    """Collectives of one kind in one group, a step."""

    group: str
    """Which: tensor, pipeline, context, data, or all ranks."""

    ranks: tuple[int, int, int]
    """Ranks of the group: how many, the first and the last."""

    kind: Kind
    """What they do; send and receive are point to point."""

    calls: float
    """How many a step."""

    bytes: float
    """Of the whole tensors, a step: what each rank has after an all-gather, or before a reduce-scatter."""


class RankReport(Section):
    """One rank's step. Where micro batches were left out, what all of them make follows from two sizes of step."""

    rank: int
    """Its number among all ranks."""

    stage: int
    """Its pipeline stage."""

    parameters: int
    """Of this rank."""

    held: dict[str, float]
    """Bytes at the peak by what holds them; their sum is the peak."""

    peak_in: str
    """What the step is in at the peak."""

    matmul_flops: float
    """A step of this rank, recomputation included."""

    attention_flops: float
    """The same for attention's products with the full square, of which kernels compute about the causal half."""

    traffic: list[Traffic]
    """Collectives a step."""

    micro_batches: int
    """A step."""

    measured: list[int]
    """Micro batches of the steps that were run."""

    @property
    def peak(self) -> float:
        return sum(self.held.values())

    def by_kind(self) -> dict[str, float]:
        """Bytes at the peak, activations of all modules together."""
        kinds: Counter[str] = Counter()
        for holder, size in self.held.items():
            kinds[holder.partition(":")[0]] += size  # type: ignore[assignment]
        return dict(sorted(kinds.items(), key=lambda item: -item[1]))
