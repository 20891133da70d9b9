"""What encodes many texts at once."""

from __future__ import annotations

from typing import Protocol

import numpy as np

Encoded = tuple[np.ndarray, np.ndarray]


class Encoder(Protocol):
    name: str
    rejected: dict[str, str]  # faster encoders that were passed over -> why

    def encode_batch(self, texts: list[str]) -> Encoded:
        """Token ids of all texts in a row (uint32 [tokens]), and how many each text has (int64 [texts])."""
        ...
