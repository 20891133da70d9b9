"""What the prompts of a batch begin with is read once, for all of them: samples of one task have one prompt."""

from __future__ import annotations

from os.path import commonprefix
from typing import Any

import torch

_WORTH = 16  # tokens below which a second call of the model costs more than it saves


def model_inputs(model: Any, rows: list[list[int]], padding: int) -> dict[str, Any]:
    """For `generate`: int64 input_ids and attention_mask [rows, width], and past_key_values where the rows begin alike.

    Padding lies between what they have in common and what is a row's own, so that all end in the last column.
    """
    alike = min(len(commonprefix(rows)), min(map(len, rows)) - 1)  # noqa: RUF071 ids, not paths: one is left to read
    if len(rows) == 1 or alike < _WORTH:
        alike = 0
    width = max(map(len, rows))
    gaps = [width - len(row) for row in rows]
    ids = [row[:alike] + [padding] * gap + row[alike:] for row, gap in zip(rows, gaps, strict=True)]
    mask = [[1] * alike + [0] * gap + [1] * (width - alike - gap) for gap in gaps]
    device = model.device
    found = {"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)}
    if alike:
        read = model(torch.tensor([rows[0][:alike]], device=device), use_cache=True, logits_to_keep=1)
        read.past_key_values.batch_repeat_interleave(len(rows))
        found["past_key_values"] = read.past_key_values
    return found
