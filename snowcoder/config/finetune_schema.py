"""The section of conf/ for fine-tuning an exported model on conversations, see `schema.py`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from snowcoder.config.section import Count, Positive, Section


class FinetuneConfig(Section):
    """As Magicoder has it: Adafactor, linear decay, no clipping, a loss on responses alone."""

    dir: str
    """Folder of the model that answers instructions."""

    model: str
    """Hugging Face folder of the model that learns, such as `snowcoder export` writes."""

    chat: list[str]
    """Files of conversations: `chat.jsonl` of `snowcoder synthesize`."""

    system: str
    """How every conversation begins."""

    instruction: str
    """The title above what the user says."""

    response: str
    """The title above the answer."""

    epochs: Count
    """Passes over the conversations."""

    batch: Count
    """Conversations a step; a multiple of `micro_batch`."""

    micro_batch: Count
    """Conversations that are on the device at once. It decides memory and speed, not the result."""

    tokens: Count
    """Tokens of a conversation; what is longer, also than the model's context, is left out and counted."""

    learning_rate: Positive
    """Peak learning rate, from which it falls linearly to 0."""

    warmup: Annotated[float, Field(ge=0)]
    """Steps of linear warm-up; below 1, a share of all steps."""
