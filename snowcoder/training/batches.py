"""A step's samples as this rank's micro batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from megatron.core import parallel_state
from megatron.core.packed_seq_params import PackedSeqParams

from snowcoder.mixture.samples import Samples
from snowcoder.model import platform
from snowcoder.model.versions import part_of_context_rank


@dataclass(frozen=True)
class MicroBatch:
    """Model inputs, all [b, s], int64 if not said; with document masks b is 1 and s the whole micro batch, packed."""

    tokens: torch.Tensor
    labels: torch.Tensor
    # fp32; 0 where the label is padding, or begins another document that attention cannot see
    loss_mask: torch.Tensor
    positions: torch.Tensor
    bounds: torch.Tensor | None = None  # int32, with document masks: where each document begins, and the last one ends
    longest: int = 0  # tokens of a document

    @property
    def packed(self) -> PackedSeqParams | None:
        if self.bounds is None:
            return None
        return PackedSeqParams(
            qkv_format="thd",
            cu_seqlens_q=self.bounds,
            cu_seqlens_kv=self.bounds,
            max_seqlen_q=self.longest,
            max_seqlen_kv=self.longest,
        )


def slots_of_rank(global_batch: int, micro_batch: int, data_rank: int, data_size: int) -> list[int]:
    """Slots of the global batch that a data-parallel rank takes, micro batch after micro batch."""
    rounds = global_batch // (micro_batch * data_size)
    starts = [(n * data_size + data_rank) * micro_batch for n in range(rounds)]
    return [start + k for start in starts for k in range(micro_batch)]


def micro_batches(samples: Samples, size: int, document_mask: bool) -> Iterator[MicroBatch]:
    """Cut `samples` into micro batches of `size` sequences in the host's memory, from where `on_device` takes them."""
    for first in range(0, len(samples.tokens), size):
        own = slice(first, first + size)
        part = Samples(samples.tokens[own], samples.starts[own], samples.loss_mask[own])
        yield _packed(part) if document_mask else _plain(part)


def on_device(batch: MicroBatch) -> MicroBatch:
    """Copied without waiting for the copy; with context parallelism, this rank's part of each sequence."""
    device = platform.device()
    there: dict[str, Any] = {
        name: value.to(device, non_blocking=True) for name, value in vars(batch).items() if torch.is_tensor(value)
    }
    if batch.bounds is None and parallel_state.get_context_parallel_world_size() > 1:
        there |= part_of_context_rank(there)
    return replace(batch, **there)


def _plain(samples: Samples) -> MicroBatch:
    rows = samples.tokens
    positions = np.broadcast_to(np.arange(rows.shape[1] - 1), (len(rows), rows.shape[1] - 1))
    return MicroBatch(_host(rows[:, :-1]), _host(rows[:, 1:]), _host(samples.loss_mask, np.float32), _host(positions))


def _packed(samples: Samples) -> MicroBatch:
    rows, starts, mask = samples.tokens, samples.starts, samples.loss_mask.astype(np.float32)
    length = rows.shape[1] - 1
    bounds = np.concatenate([row * length + own[own < length] for row, own in enumerate(starts)])
    bounds = np.append(bounds, rows.shape[0] * length)
    sizes = np.diff(bounds)
    for row, own in enumerate(starts):
        mask[row, own[own > 0] - 1] = 0.0
    positions = np.concatenate([np.arange(size) for size in sizes])
    return MicroBatch(
        tokens=_host(rows[:, :-1].reshape(1, -1)),
        labels=_host(rows[:, 1:].reshape(1, -1)),
        loss_mask=_host(mask.reshape(1, -1)),
        positions=_host(positions[None]),
        bounds=_host(bounds, np.int32),
        longest=int(sizes.max()),
    )


def _host(values: np.ndarray, dtype: Any = None) -> torch.Tensor:
    """Where there is CUDA in pinned memory: from any other a copy is waited for."""
    tensor = torch.from_numpy(np.array(values, dtype, order="C"))
    return tensor if platform.ON_CPU else tensor.pin_memory()
