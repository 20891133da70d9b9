"""Permutations as functions: any index, any order, nothing stored, the same on every machine."""

from __future__ import annotations

import numpy as np
import xxhash

_ROUNDS = 6
_BLOCK = 1 << 14
_MIX = np.uint64(0x9E3779B97F4A7C15)


def key_of(seed: int, *words: str | int) -> int:
    """A 64-bit key for one use of randomness, such as (seed, source, epoch)."""
    return xxhash.xxh3_64_intdigest("\0".join(map(str, words)).encode(), seed=seed)


def permute(indices: np.ndarray, size: int, key: int) -> np.ndarray:
    """Image, int64 [n], of `indices` (int64 [n], 0 to size - 1) under the permutation of them that `key` names.

    A Feistel network on the smallest even number of bits that holds `size`; images outside are
    walked on until they are inside (Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002).
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    values = _feistel(np.array(indices, np.uint64), half, key)
    while (outside := values >= size).any():
        values[outside] = _feistel(values[outside], half, key)
    return values.astype(np.int64)


def _feistel(values: np.ndarray, half: int, key: int) -> np.ndarray:
    """In place, a block after the other: what the rounds of one take stays in the processor's cache."""
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    for first in range(0, len(values), _BLOCK):
        block = values[first : first + _BLOCK]
        left, right = block >> bits, block & mask
        for turn in range(_ROUNDS):
            round_key = np.uint64((key + turn * 0xD1342543DE82EF95) & 0xFFFFFFFFFFFFFFFF)
            hashed = _hash(right + round_key)
            hashed &= mask
            hashed ^= left
            left, right = right, hashed
        np.left_shift(left, bits, out=block)
        block |= right
    return values


def _hash(values: np.ndarray) -> np.ndarray:
    """The finalizer of splitmix64, in place, modulo 2^64 as arrays of uint64 compute."""
    values *= _MIX
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values
