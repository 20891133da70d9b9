"""The section of conf/ for fine-tuning an exported model on conversations, see `schema.py`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from snowcoder.config.section import Count, Positive, Section


class FinetuneConfig(Section):
    dir: str
    model: str  # a Hugging Face folder, such as `snowcoder export` writes
    chat: list[str]  # chat.jsonl of `snowcoder synthesize`
    system: str  # how every conversation begins
    instruction: str  # above what the user says, and
    response: str  # above the answer
    epochs: Count
    batch: Count  # conversations a step
    micro_batch: Count
    tokens: Count  # of a conversation; what is longer is cut off
    learning_rate: Positive
    warmup: Annotated[float, Field(ge=0)]  # steps; below 1, a part of all steps
