"""Texts in pieces that a trainer can take: the time of BPE grows with the square of the longest word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

CHARACTERS = 8192  # of a piece; SentencePiece drops longer ones, too
# After a line break before text, or before a blank after text: byte_bpe.PATTERN ends a word at each of these anyway, so
# that pieces teach what the whole does. Where a piece has none (a minified line, a word without end) it ends anywhere.
_PIECE = re.compile(rf".{{1,{CHARACTERS}}}(?:(?<=\n)(?=\S)|(?<=\S)(?=[ \t])|\Z)|.{{{CHARACTERS}}}", re.DOTALL)


def cut_texts(texts: Iterable[str]) -> Iterator[str]:
    """The pieces of all texts, in their order."""
    for text in texts:
        if len(text) <= CHARACTERS:
            yield text
        else:
            yield from _PIECE.findall(text)
