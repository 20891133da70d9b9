"""A BERT classifier's last layer for the first token alone, which is all that the head reads.

The outputs stay the same. The other tokens still give keys and values, a sixth of a layer's work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention


def shorten_last_layer(model: Any) -> Any:
    """The model, whose last layer is replaced if it is a BERT. It can be used no more for training."""
    from transformers import BertForSequenceClassification  # late: takes a second, which OpenVINO's workers save

    if isinstance(model, BertForSequenceClassification):
        layers = model.bert.encoder.layer
        layers[-1] = _LastLayer(layers[-1])
    return model


class _LastLayer(torch.nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor | None, *_: Any, **__: Any) -> torch.Tensor:
        """`hidden` [sections, tokens, width] -> the first token's, [sections, 1, width]."""
        attention, first = self.layer.attention, hidden[:, :1]
        read = attention.self
        query, key, value = (
            part(states).unflatten(-1, (-1, read.attention_head_size)).transpose(1, 2)
            for part, states in ((read.query, first), (read.key, hidden), (read.value, hidden))
        )
        seen = mask[:, :, :1] if mask is not None else None
        context = scaled_dot_product_attention(query, key, value, seen).transpose(1, 2).flatten(2)
        found: torch.Tensor = self.layer.feed_forward_chunk(attention.output(context, first))
        return found
