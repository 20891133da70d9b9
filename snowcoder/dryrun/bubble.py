"""The share of a step in which a pipeline stage waits for others."""

from __future__ import annotations

from snowcoder.config.schema import ParallelConfig


def bubble_share(parallel: ParallelConfig, micro_batches: int) -> float:
    """Of the whole step, 0 to 1, if all stages take equally long.

    (p - 1) / v micro batches' time comes on top of m; Narayanan et al., Efficient Large-Scale Language Model Training
    on GPU Clusters Using Megatron-LM (2021), section 2.2.
    """
    waits = (parallel.pipeline - 1) / parallel.virtual_stages
    return waits / (micro_batches + waits)
