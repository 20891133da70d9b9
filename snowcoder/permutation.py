"""Permutations as functions: any index, any order, nothing stored, the same on every machine."""

from __future__ import annotations

import numpy as np
import xxhash

_ROUNDS = 6
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
    values = _feistel(np.asarray(indices).astype(np.uint64), half, key)
    while (outside := values >= size).any():
        values[outside] = _feistel(values[outside], half, key)
    return values.astype(np.int64)


def _feistel(values: np.ndarray, half: int, key: int) -> np.ndarray:
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> bits, values & mask
    for turn in range(_ROUNDS):
        round_key = np.uint64((key + turn * 0xD1342543DE82EF95) & 0xFFFFFFFFFFFFFFFF)
        left, right = right, left ^ (_hash(right + round_key) & mask)
    return (left << bits) | right


def _hash(values: np.ndarray) -> np.ndarray:
    """The finalizer of splitmix64, modulo 2^64 as arrays of uint64 compute."""
    values = values * _MIX
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.ndarray = values ^ (values >> np.uint64(31))
    return found
