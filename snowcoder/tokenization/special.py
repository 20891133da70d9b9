"""The special tokens, in the order of their ids. They are the first ids of every vocabulary."""

from __future__ import annotations

END_OF_TEXT = "<|endoftext|>"
FIM_PREFIX = "<|fim_prefix|>"
FIM_MIDDLE = "<|fim_middle|>"
FIM_SUFFIX = "<|fim_suffix|>"
FIM_PAD = "<|fim_pad|>"
REPO_NAME = "<|repo_name|>"
FILE_SEP = "<|file_sep|>"

SPECIAL_TOKENS = (END_OF_TEXT, FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX, FIM_PAD, REPO_NAME, FILE_SEP)


def special_tokens(spares: int) -> list[str]:
    """The table above, then `spares` tokens that have no meaning yet."""
    return [*SPECIAL_TOKENS, *(f"<|spare_{number}|>" for number in range(spares))]
