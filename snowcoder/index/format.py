"""Megatron's .bin/.idx pair: the token ids of a shard's documents, and where each document lies.

The .bin holds the ids back to back, the .idx their lengths and byte offsets. Every document is one
sequence. The tests hold the bytes equal to those of megatron-core's IndexedDatasetBuilder, which is
not used here because it brings torch into every worker and keeps Python lists of all lengths.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from snowcoder.errors import OperationError

_HEADER = struct.Struct("<9sQBQQ")  # magic, version, dtype code, sequences, documents + 1
_MAGIC, _VERSION = b"MMIDIDX\x00\x00", 1
_CODES = {"int32": 4, "uint16": 8}  # of megatron-core's DType


class Idx(NamedTuple):
    """The arrays of an .idx file, memory-mapped."""

    dtype: np.dtype
    lengths: np.ndarray  # int32 [documents], in tokens
    pointers: np.ndarray  # int64 [documents], byte offset in the .bin
    document_indices: np.ndarray  # int64 [documents + 1], here always 0, 1, 2, ...


def token_dtype(vocab_size: int) -> np.dtype:
    """The dtype of ids in a .bin, as megatron-core chooses it."""
    return np.dtype(np.uint16 if vocab_size < 65_500 else np.int32)


def write_idx(path: Path, lengths: np.ndarray, dtype: np.dtype) -> None:
    """Write the .idx of documents of these `lengths` (int32 [documents], tokens) lying back to back."""
    count = len(lengths)
    pointers = np.zeros(count, np.int64)
    np.cumsum(lengths[:-1], dtype=np.int64, out=pointers[1:])
    with path.open("wb") as file:
        file.write(_HEADER.pack(_MAGIC, _VERSION, _CODES[dtype.name], count, count + 1))
        file.write(lengths.astype(np.int32).tobytes())
        file.write((pointers * dtype.itemsize).tobytes())
        file.write(np.arange(count + 1, dtype=np.int64).tobytes())


def open_idx(path: Path) -> Idx:
    """Map an .idx file. OperationError where it is missing, cut short or no .idx."""
    try:
        data = np.memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise OperationError(f"{path}: cannot be opened ({error})") from None
    header = data[: _HEADER.size].tobytes().ljust(_HEADER.size)
    magic, version, code, count, ends = _HEADER.unpack(header)
    dtype = next((np.dtype(name) for name, known in _CODES.items() if known == code), None)
    if magic != _MAGIC or version != _VERSION or dtype is None:
        raise OperationError(f"{path}: not an .idx file of token ids")
    if len(data) != _HEADER.size + 12 * count + 8 * ends:
        raise OperationError(f"{path}: {len(data)} bytes are not those of {count} documents")
    pointers, indices = _HEADER.size + 4 * count, _HEADER.size + 12 * count
    return Idx(
        dtype,
        np.frombuffer(data, np.int32, count, _HEADER.size),
        np.frombuffer(data, np.int64, count, pointers),
        np.frombuffer(data, np.int64, ends, indices),
    )


def open_bin(path: Path, dtype: np.dtype) -> np.memmap:
    """Map a .bin file, uint16 or int32 [tokens]. OperationError where it is missing, empty or cut inside an id."""
    try:
        return np.memmap(path, dtype, mode="r")
    except (OSError, ValueError) as error:
        raise OperationError(f"{path}: cannot be opened ({error})") from None
