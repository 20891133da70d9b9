"""Data in a text: StarCoder2's three regular expressions, each with a test that spares most files the expression."""

from __future__ import annotations

import re

import numpy as np

# (characters in all matches, characters in the longest); zeros where neither limit can be reached
EncodedSize = tuple[int, int]

_HEX = re.compile(r"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}")
_UNICODE = re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}")
_BASE64_LEAST = 64


def base64(text: str, longest: int, share: float) -> EncodedSize:
    r"""`[a-zA-Z0-9+/\n=]{64,}`: a match is a whole run of such characters."""
    lengths = _runs(text, _BASE64)
    lengths = lengths[lengths >= _BASE64_LEAST]
    return int(lengths.sum()), int(lengths.max(initial=0))


def hexadecimal(text: str, longest: int, share: float) -> EncodedSize:
    """A match consists of such characters alone, so a run of them bounds it, and all runs bound the sum."""
    lengths = _runs(text, _HEX_CHARACTERS)
    lengths = lengths[lengths >= 16]
    if lengths.max(initial=0) <= longest and lengths.sum() <= share * len(text):
        return 0, 0
    return _measure(_HEX, text)


def escapes(text: str, longest: int, share: float) -> EncodedSize:
    return _measure(_UNICODE, text) if text.count("\\u") >= 8 else (0, 0)


KINDS = {"base64": base64, "hexadecimal data": hexadecimal, "unicode escapes": escapes}


def _measure(pattern: re.Pattern[str], text: str) -> EncodedSize:
    lengths = [match.end() - match.start() for match in pattern.finditer(text)]
    return sum(lengths), max(lengths, default=0)


def _table(characters: str) -> np.ndarray:
    table = np.zeros(256, bool)
    table[list(characters.encode())] = True
    return table


_ALPHANUMERIC = "".join(map(chr, [*range(48, 58), *range(65, 91), *range(97, 123)]))
_BASE64 = _table(_ALPHANUMERIC + "+/\n=")
# White space beyond ASCII, which \s takes too, is not here: bytes from 128 on count as such characters.
_HEX_CHARACTERS = _table("0123456789abcdefABCDEFxX\\, \t\n\r\f\v\x1c\x1d\x1e\x1f") | (np.arange(256) >= 128)


def _runs(text: str, table: np.ndarray) -> np.ndarray:
    """Lengths in bytes of the runs of characters of the table, which are no shorter than in characters."""
    inside = table[np.frombuffer(text.encode(), np.uint8)]
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    return edges[1::2] - edges[::2]
