"""A step's samples as this rank's micro batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from megatron.core import parallel_state
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.utils import get_batch_on_this_cp_rank

from snowcoder.mixture.samples import Samples
from snowcoder.model import platform


@dataclass(frozen=True)
class MicroBatch:
    """Model inputs, all [b, s], int64 if not said; with document masks b is 1 and s the whole micro batch, packed."""

    tokens: torch.Tensor
    labels: torch.Tensor
    # fp32; 0 where the label is padding, or begins another document that attention cannot see
    loss_mask: torch.Tensor
    positions: torch.Tensor
    packed: PackedSeqParams | None


def slots_of_rank(global_batch: int, micro_batch: int, data_rank: int, data_size: int) -> list[int]:
    """Slots of the global batch that a data-parallel rank takes, micro batch after micro batch."""
    rounds = global_batch // (micro_batch * data_size)
    starts = [(n * data_size + data_rank) * micro_batch for n in range(rounds)]
    return [start + k for start in starts for k in range(micro_batch)]


def micro_batches(samples: Samples, size: int, document_mask: bool) -> Iterator[MicroBatch]:
    """Cut `samples` into micro batches of `size` sequences on this rank's device."""
    for first in range(0, len(samples.tokens), size):
        own = slice(first, first + size)
        part = Samples(samples.tokens[own], samples.starts[own], samples.loss_mask[own])
        yield _packed(part) if document_mask else _plain(part)


def _plain(samples: Samples) -> MicroBatch:
    rows, mask = samples.tokens, samples.loss_mask.astype(np.float32)
    tokens = torch.from_numpy(rows).to(platform.device(), non_blocking=True)
    batch = {
        "tokens": tokens[:, :-1].contiguous(),
        "labels": tokens[:, 1:].contiguous(),
        "position_ids": torch.arange(tokens.shape[1] - 1, device=tokens.device).expand(len(tokens), -1),
        "loss_mask": torch.from_numpy(mask).to(tokens.device),
    }
    if parallel_state.get_context_parallel_world_size() > 1:
        batch = get_batch_on_this_cp_rank(batch)
    return MicroBatch(batch["tokens"], batch["labels"], batch["loss_mask"], batch["position_ids"], None)


def _packed(samples: Samples) -> MicroBatch:
    rows, starts, mask = samples.tokens, samples.starts, samples.loss_mask.astype(np.float32)
    length = rows.shape[1] - 1
    bounds = np.concatenate([row * length + own[own < length] for row, own in enumerate(starts)])
    bounds = np.append(bounds, rows.shape[0] * length)
    sizes = np.diff(bounds)
    for row, own in enumerate(starts):
        mask[row, own[own > 0] - 1] = 0.0
    positions = np.concatenate([np.arange(size) for size in sizes])
    device = platform.device()
    return MicroBatch(
        tokens=torch.from_numpy(rows[:, :-1].reshape(1, -1)).to(device),
        labels=torch.from_numpy(rows[:, 1:].reshape(1, -1)).to(device),
        loss_mask=torch.from_numpy(mask.reshape(1, -1)).to(device),
        positions=torch.from_numpy(positions[None]).to(device),
        packed=_packed_params(torch.from_numpy(bounds.astype(np.int32)).to(device), int(sizes.max())),
    )


def _packed_params(bounds: torch.Tensor, longest: int) -> PackedSeqParams:
    return PackedSeqParams(
        qkv_format="thd",
        cu_seqlens_q=bounds,
        cu_seqlens_kv=bounds,
        max_seqlen_q=longest,
        max_seqlen_kv=longest,
    )
