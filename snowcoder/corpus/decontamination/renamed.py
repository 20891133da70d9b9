"""A text's words without its names, so that a copy reads alike whose names are others.

Each name is replaced by how many words ago it stood last (the parameterized strings of Baker, 1993: "A Theory of
Parameterized Pattern Matching"). Python's own words and numbers stay, for nobody can rename them.
"""

from __future__ import annotations

import builtins
import keyword

import numpy as np

from snowcoder.corpus.decontamination.words import Words, grams

PYTHONS = sorted({word.lower() for word in (*keyword.kwlist, *dir(builtins)) if not word.startswith("_")})
SIZE = 12  # words of an n-gram
_BACK = 15  # words; what stood last longer ago is as if it were new
_KNOWN = 7  # at least so many words of an n-gram are Python's, numbers, or stood a little before
_NEW, _AGAIN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_OURS = Words(" ".join(PYTHONS)).hashes
_SHIFT = np.uint64(64 - 18)
_TABLE = np.zeros(1 << 18, np.uint64)  # Python's words by the first bits of their hashes
_TABLE[_OURS >> _SHIFT] = _OURS
_IMPORTS = tuple(Words("import from as").hashes)  # known words, but lists of imports are alike everywhere


def is_pythons(hashes: np.ndarray) -> np.ndarray:
    """Which words are keywords or names of built-ins: uint64 [words] -> bool [words]."""
    found: np.ndarray = _TABLE.take((hashes >> _SHIFT).view(np.int64)) == hashes
    return found


def shapes(words: Words) -> np.ndarray:
    """Hashes of the n-grams of one text after another, uint64 [n-grams], in order; 0 for those of mostly new names."""
    if len(words.hashes) < SIZE:
        return words.hashes[:0]
    ago = _ago(words)
    stays = is_pythons(words.hashes) | words.are_numbers()
    found = grams(np.where(stays, words.hashes, _NEW + ago * _AGAIN), SIZE)
    known = stays | (ago > 0)
    for word in _IMPORTS:
        known &= words.hashes != word
    counts = np.cumsum(np.append(np.int32(0), known), dtype=np.int32)
    return np.where(counts[SIZE:] - counts[:-SIZE] >= _KNOWN, found, np.uint64(0))


def _ago(words: Words) -> np.ndarray:
    """How many words ago each stood last in its text; 0 if not, or too long ago."""
    hashes = words.hashes
    ago = np.zeros(len(hashes), np.uint64)
    for back in range(min(_BACK, len(hashes) - 1), 0, -1):
        np.putmask(ago[back:], hashes[back:] == hashes[:-back], back)
    np.putmask(ago, ago > words.places(), 0)
    return ago
