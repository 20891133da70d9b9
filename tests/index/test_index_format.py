"""The files are Megatron's: byte for byte what its builder writes, and its reader opens them."""

from pathlib import Path

import numpy as np
import pytest

from snowcoder.errors import OperationError
from snowcoder.index.format import open_bin, open_idx, token_dtype, write_idx

LENGTHS = np.array([5, 1, 300, 2, 70_000], np.int32)


def documents(vocab_size: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, vocab_size, length) for length in LENGTHS]


@pytest.mark.parametrize("vocab_size", [64_000, 65_499, 65_500, 128_256])
def test_bytes_equal_those_of_megatrons_builder(tmp_path: Path, vocab_size: int) -> None:
    from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder

    builder = IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=DType.optimal_dtype(vocab_size))
    for ids in documents(vocab_size):
        builder.add_document(ids, [len(ids)])
    builder.finalize(str(tmp_path / "theirs.idx"))

    dtype = token_dtype(vocab_size)
    (tmp_path / "ours.bin").write_bytes(np.concatenate(documents(vocab_size)).astype(dtype).data)
    write_idx(tmp_path / "ours.idx", LENGTHS, dtype)
    for suffix in (".bin", ".idx"):
        ours, theirs = tmp_path / f"ours{suffix}", tmp_path / f"theirs{suffix}"
        assert ours.read_bytes() == theirs.read_bytes()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_idx(tmp_path / "a.idx", LENGTHS, token_dtype(100))
    idx = open_idx(tmp_path / "a.idx")
    assert idx.dtype == np.uint16
    np.testing.assert_array_equal(idx.lengths, LENGTHS)
    np.testing.assert_array_equal(idx.pointers, [0, 10, 12, 612, 616])
    np.testing.assert_array_equal(idx.document_indices, range(6))


@pytest.mark.parametrize("size", [0, 10, 34, 60])
def test_an_idx_cut_short_is_an_error_that_names_it(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.idx"
    write_idx(path, LENGTHS, token_dtype(100))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(OperationError, match=r"a\.idx"):
        open_idx(path)


def test_a_bin_that_is_missing_or_cut_inside_an_id_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"a\.bin"):
        open_bin(tmp_path / "a.bin", np.dtype(np.uint16))
    (tmp_path / "a.bin").write_bytes(b"123")
    with pytest.raises(OperationError, match=r"a\.bin"):
        open_bin(tmp_path / "a.bin", np.dtype(np.uint16))
