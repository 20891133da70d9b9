"""The Llamas of the training benchmark."""

from __future__ import annotations

from typing import NamedTuple

VOCABULARY = 4096


class Shape(NamedTuple):
    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    sequence: int
    batch: int  # sequences a step
    micro_batch: int

    @property
    def tokens(self) -> int:
        """Of a step."""
        return self.batch * self.sequence


SHAPES = {
    "demo": Shape(layers=4, hidden=192, ffn=512, heads=6, kv_heads=2, sequence=256, batch=16, micro_batch=8),
    "20m": Shape(layers=6, hidden=512, ffn=1376, heads=8, kv_heads=4, sequence=1024, batch=4, micro_batch=2),
}
BETAS, EPSILON, WEIGHT_DECAY, CLIP = (0.9, 0.95), 1e-8, 0.1, 1.0
