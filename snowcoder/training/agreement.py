"""What the ranks must know of each other before an update, in one collective and one look by the host."""

from __future__ import annotations

import math
import signal
from typing import NamedTuple

import torch
import torch.distributed as dist

from snowcoder.model import platform
from snowcoder.training.rank import signals


class Together(NamedTuple):
    """The same on every rank."""

    loss: float  # mean over the tokens of the global batch, nats
    tokens: int  # of the global batch that have a label
    gradient_norm: float  # of the mean loss
    waited: float  # seconds for data, of the rank that waited longest
    stop: str | None  # a signal that some rank got

    @property
    def is_finite(self) -> bool:
        """Whether loss and gradient are, on all ranks: a sum keeps what is not."""
        return math.isfinite(self.loss) and math.isfinite(self.gradient_norm)


def agree(losses: torch.Tensor, squares: torch.Tensor, waited: float) -> Together:
    """Called by all ranks, each with its share of the sums.

    `losses`: float64 [2], the sum of losses and the tokens they are of, on the device; `squares`: of the summed loss's
    gradient, its squared norm, float64 []; `waited`: seconds for data. Gathered, not reduced: sums and maxima in one,
    in an order that is the same everywhere, and no reduction loses a NaN (gloo's MAX keeps that of rank 0 alone).
    """
    own = torch.zeros(5, dtype=torch.float64, device=platform.device())
    own[:2], own[2] = losses, squares
    own[3], own[4] = waited, int(signals.received() or 0)  # filled in by the device: no copy that the host waits for
    rows = own.new_empty(dist.get_world_size() * len(own))
    dist.all_gather_into_tensor(rows, own)
    loss, tokens, squared, waits, numbers = zip(*rows.view(-1, len(own)).tolist(), strict=True)
    count, norm = sum(tokens), math.sqrt(sum(squared))
    stop = signal.Signals(int(max(numbers))).name if any(numbers) else None
    return Together(_ratio(sum(loss), count), int(count), _ratio(norm, count), max(waits), stop)


def _ratio(total: float, count: float) -> float:
    return total / count if count else math.nan
