"""Byte-level BPE with the tokenizers library: any text is bytes, and pieces are merges of bytes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from snowcoder.tokenization.cut import cut_texts

# Merges stay inside these pieces: a word with the character before it, ONE digit, punctuation with
# its line ends, blank lines, indentation. This very pattern (Qwen2's) is one that gigatoken knows.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_byte_bpe(texts: Iterator[str], vocab_size: int, special: list[str]) -> Tokenizer:
    """A tokenizer of at most `vocab_size` entries: `special` first, then 256 bytes, then merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=sys.stderr.isatty(),  # in a log it would print blank lines
    )
    tokenizer.train_from_iterator(cut_texts(texts), trainer)
    return tokenizer
