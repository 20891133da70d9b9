"""Code tokens, their shingles, MinHash signatures of them, and the exact Jaccard similarity.

Tokens are StarCoder's: what lies between characters other than letters, digits and underscores; here letters
beyond ASCII are letters too, for a file of Chinese comments is not an empty one.
"""

from __future__ import annotations

import functools

import daft
import numpy as np
import pyarrow as pa
import xxhash

from snowcoder.config.corpus_schema import NearConfig

_SPACE = 32
_WORD = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_SEPARATORS = bytes(byte if byte in _WORD or byte >= 128 else _SPACE for byte in range(256))
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2**64
_SEED = 1


def tokens(text: str) -> str:
    """The text's tokens with one space between them."""
    text_bytes = np.frombuffer(text.encode().translate(_SEPARATORS), np.uint8)
    keep = text_bytes != _SPACE
    keep[1:] |= keep[:-1].copy()  # of several spaces the first
    found: str = text_bytes[keep].tobytes().decode().rstrip(" ")
    return found


def is_short(joined: str, config: NearConfig) -> bool:
    """Too short to be compared: BigCode's scripts take all such files for copies of one."""
    enough = max(config.min_tokens, config.ngram)
    return len(joined.split(" ", enough - 1)) < enough


def signatures(joined: list[str], config: NearConfig) -> np.ndarray:
    """MinHash of each: uint32 [documents, permutations]."""
    if not joined:
        return np.empty((0, config.permutations), np.uint32)
    series = daft.Series.from_arrow(pa.array(joined, pa.large_string())).minhash(
        config.permutations, config.ngram, _SEED, "xxhash3_64"
    )
    found: np.ndarray = series.to_arrow().flatten().to_numpy().reshape(len(joined), config.permutations)
    return found


def bands(signature: np.ndarray, config: NearConfig) -> np.ndarray:
    """A hash for every band. Two documents that share one are compared.

    uint32 [documents, permutations] -> uint64 [documents, bands].
    """
    used = np.ascontiguousarray(signature[:, : config.bands * config.rows], np.uint32)
    width = config.rows * used.itemsize
    hashes = [xxhash.xxh3_64_intdigest(row[at : at + width]) for row in map(bytes, used) for at in _offsets(config)]
    return np.array(hashes, np.uint64).reshape(len(used), config.bands)


def _offsets(config: NearConfig) -> range:
    width = config.rows * 4
    return range(0, config.bands * width, width)


def shingles(joined: str, size: int) -> np.ndarray:
    """Sorted distinct hashes of the n-grams of tokens: uint64 [n]."""
    grams = np.sort(Tokens(joined).grams(size))
    first = np.ones(len(grams), np.bool_)
    np.not_equal(grams[1:], grams[:-1], out=first[1:])
    return grams[first]  # np.unique hashes them first, at four times the cost


class Tokens:
    """A text's tokens, of which n-grams of any length are hashed.

    A polynomial in each byte's place, summed up once for the whole text: the hash of a span is the difference
    of two sums, moved to the origin.
    """

    def __init__(self, joined: str) -> None:
        self.joined = joined
        text = np.frombuffer(joined.encode(), np.uint8)
        spaces = np.flatnonzero(text == _SPACE)
        self._starts, self._ends = np.append(0, spaces + 1), np.append(spaces, len(text))
        powers, self._inverses = _powers(len(text))
        self._sums = np.zeros(len(text) + 1, np.uint64)
        np.cumsum((text.astype(np.uint64) + np.uint64(1)) * powers[: len(text)], out=self._sums[1:])

    def lengths(self, size: int) -> np.ndarray:
        """Bytes of each n-gram, with the spaces in it: int64 [n-grams]."""
        count = max(0, len(self._starts) - size + 1)
        found: np.ndarray = self._ends[size - 1 :][:count] - self._starts[:count]
        return found

    def grams(self, size: int) -> np.ndarray:
        """Hashes of all n-grams, in their order: uint64 [n-grams]."""
        count = len(self._starts) - size + 1
        if count < 1:
            return np.empty(0, np.uint64)
        starts, ends = self._starts[:count], self._ends[size - 1 :]
        return _mixed((self._sums[ends] - self._sums[starts]) * self._inverses[starts])


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """Of two sets of shingles, as `shingles` has them: uint64 [n] and [m], sorted and distinct."""
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both)


def _powers(length: int) -> tuple[np.ndarray, np.ndarray]:
    return _powers_up_to(max(1 << 16, 1 << (length - 1).bit_length()))


@functools.lru_cache(maxsize=2)
def _powers_up_to(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Powers of the base and of its inverse."""
    inverse = np.uint64(pow(int(_BASE), -1, 1 << 64))
    table = np.ones((2, length), np.uint64)
    table[0, 1:], table[1, 1:] = _BASE, inverse
    first, second = np.cumprod(table, axis=1)
    return first, second


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """The end of splitmix64: every bit of a hash depends on all."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.ndarray = hashes ^ (hashes >> np.uint64(31))
    return found
