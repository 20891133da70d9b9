"""A text's words as 64-bit hashes, with and without its comments.

Words are the tokens of near-deduplication in lower case. Each is hashed from its first and last eight bytes and its
length, which numpy does without a loop: words of up to sixteen bytes differ, and of longer ones nearly all.
Comments are Python's, for the benchmarks are in Python, and so are its docstrings.
"""

from __future__ import annotations

import copy
import functools
import itertools

import numpy as np

_COMMENTS = {b"#": b"\n", b'"""': b'"""', b"'''": b"'''", rb"\"\"\"": rb"\"\"\""}  # opened -> closed by
_SPACE = 32
_IN_WORDS = (byte >= 128 or byte == ord("_") or chr(byte).isalnum() for byte in range(256))
_NORMAL = bytes(byte if is_in else _SPACE for byte, is_in in enumerate(_IN_WORDS)).lower()
_WIDTH = 8
_OTHERS = np.arange(8 * _WIDTH, -1, -8).astype(np.uint64)  # bits of eight bytes that are not a word's, by its length
_HALF = np.uint64(32)
_FIRST, _LENGTH, _MIX = (np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_BASE = 0xD1342543DE82EF95
_TELLING = 0.3  # of an n-gram's words


class Words:
    """Of one text after another, in their order. `hashes`: uint64 [words]."""

    def __init__(self, *texts: str) -> None:
        self._texts = [_unescaped(text.encode()) for text in texts]
        room = b" " * _WIDTH  # eight bytes can be read before any word and after it
        self._padded = b"".join((room, b" ".join(self._texts).translate(_NORMAL), room))
        lengths = (len(text) + 1 for text in self._texts)
        self._offsets = list(itertools.accumulate(lengths, initial=_WIDTH))
        is_letter = np.frombuffer(self._padded, np.uint8) != _SPACE
        edges = np.flatnonzero(is_letter[1:] != is_letter[:-1]) + 1
        self._starts, self._ends = edges[::2], edges[1::2]
        self.hashes = self._hashes()

    def without_comments(self) -> Words:
        """Itself if it has none."""
        comments = [_comments(text) for text in self._texts]
        if not any(comments):
            return self
        spans = (np.array(edges, int) + at for edges, at in zip(comments, self._offsets, strict=False))
        edges = np.searchsorted(self._starts, np.concatenate(list(spans)))
        begin, end = (np.bincount(each, minlength=len(self.hashes) + 1)[:-1] for each in (edges[::2], edges[1::2]))
        outside = np.cumsum(begin - end) == 0
        return self._some(outside)

    def of_texts_with(self, word: np.uint64) -> Words:
        """The words of the texts that have the word of this hash."""
        places = np.flatnonzero(self.hashes == word)
        if not len(places):
            return self._some(slice(0))
        has = np.zeros(len(self._texts), bool)
        has[self.texts_of(places)] = True
        return self if has.all() else self._some(np.repeat(has, self._counts()))

    def texts_of(self, words: np.ndarray) -> np.ndarray:
        """Numbers of the texts that these words are in: int64 [n] -> int64 [n]."""
        found: np.ndarray = np.searchsorted(self._offsets, self._starts[words], side="right") - 1
        return found

    def places(self) -> np.ndarray:
        """Each word's number in its text: uint64 [words]."""
        counts = self._counts()
        found: np.ndarray = (np.arange(len(self._starts)) - np.repeat(np.cumsum(counts) - counts, counts)).view(
            np.uint64
        )
        return found

    def are_numbers(self) -> np.ndarray:
        """Which words begin with a digit: bool [words]."""
        return self._first_letters() <= ord("9")

    def telling(self, size: int) -> np.ndarray:
        """Which n-grams say something: bool [n-grams].

        Most words of the others are numbers and single letters: tables are alike.
        """
        return np.convolve(self.names(), np.ones(size), "valid") >= _TELLING * size

    def names(self) -> np.ndarray:
        """Which words are no numbers and no single letters: bool [words]."""
        return ~self.are_numbers() & (self._ends - self._starts > 1)

    def excerpt(self, first: int, count: int) -> str:
        """So many words from a number on."""
        spans = zip(self._starts[first:][:count], self._ends[first:][:count], strict=True)
        return b" ".join(self._padded[start:end] for start, end in spans).decode()

    def _counts(self) -> np.ndarray:
        """Words of each text."""
        return np.diff(np.searchsorted(self._starts, self._offsets))

    def _some(self, which: np.ndarray | slice) -> Words:
        kept = copy.copy(self)
        kept._starts, kept._ends, kept.hashes = self._starts[which], self._ends[which], self.hashes[which]
        return kept

    def _first_letters(self) -> np.ndarray:
        return np.frombuffer(self._padded, np.uint8)[self._starts]

    def _hashes(self) -> np.ndarray:
        # At every byte, it and the seven that follow it as one number.
        eights = np.ndarray(len(self._padded) - _WIDTH + 1, "<u8", self._padded, strides=1)
        lengths = self._ends - self._starts
        others = _OTHERS.take(lengths, mode="clip")
        first, last = eights[self._starts] << others, eights[self._ends - _WIDTH] >> others
        return _mixed(_mixed(first * _FIRST + last) + lengths.view(np.uint64) * _LENGTH)


def grams(hashes: np.ndarray, size: int) -> np.ndarray:
    """Hashes of the n-grams, in their order, a polynomial in each word's place: uint64 [words] -> uint64 [n-grams]."""
    if len(hashes) < size:
        return hashes[:0]
    return _mixed(np.convolve(hashes, _powers(size), "valid"))


@functools.cache
def _powers(size: int) -> np.ndarray:
    return np.cumprod(np.full(size, _BASE, np.uint64))


def _unescaped(text: bytes) -> bytes:
    """A notebook's code is JSON, where line breaks are escaped."""
    if b"\\r\\n" in text:
        text = text.replace(b"\\r\\n", b"\n")
    return text.replace(b"\\n", b"\n").replace(b"\\t", b"\t")


def _comments(text: bytes) -> list[int]:
    """Where each begins and ends, in turn. A docstring that nothing closes is none."""
    edges: list[int] = []
    found = {opening: at for opening in _COMMENTS if (at := text.find(opening)) >= 0}
    while found:
        opening = min(found, key=found.__getitem__)
        closing = _COMMENTS[opening]
        end = text.find(closing, found[opening] + len(opening))
        if end < 0 and opening == closing:
            del found[opening]
            continue
        end = len(text) if end < 0 else end + len(closing)
        edges += found[opening], end
        for each in [each for each, at in found.items() if at < end]:
            found[each] = text.find(each, end)
            if found[each] < 0:
                del found[each]
    return edges


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """Every bit of a hash depends on all."""
    found: np.ndarray = (hashes ^ (hashes >> _HALF)) * _MIX
    return found
