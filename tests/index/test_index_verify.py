"""Verification finds every planted fault and names the file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snowcoder.config.schema import Config
from snowcoder.errors import OperationError
from snowcoder.index import build, verify
from snowcoder.index.format import open_idx
from snowcoder.lineage.manifest import find_manifest
from snowcoder.tokenization.load import Tokenizer

Configure = Callable[..., Config]


@pytest.fixture
def train(tmp_path: Path, configure: Configure) -> Path:
    """The folder of the training split of an index in order."""
    build.run(configure())
    verify.run(configure())
    return tmp_path / "index" / "raw" / "train"


def flip_byte(train: Path) -> None:
    path = train / "shard-00001.bin"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)


def truncate_idx(train: Path) -> None:
    path = train / "shard-00001.idx"
    path.write_bytes(path.read_bytes()[:-8])


def swap_sidecars(train: Path) -> None:
    one, other = train / "shard-00001.docs.parquet", train / "shard-00002.docs.parquet"
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def remove_bin(train: Path) -> None:
    (train / "shard-00001.bin").unlink()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (flip_byte, "shard-00001.bin: its bytes are not"),
        (truncate_idx, "shard-00001.idx: "),
        (swap_sidecars, "shard-00001.docs.parquet: its rows are not"),
        (remove_bin, "shard-00001.bin: missing"),
    ],
)
def test_a_damaged_file_is_named(train: Path, configure: Configure, damage: Callable[[Path], None], named: str) -> None:
    damage(train)
    with pytest.raises(OperationError) as caught:
        verify.run(configure())
    assert named in str(caught.value)


def test_all_problems_are_listed(train: Path, configure: Configure) -> None:
    swap_sidecars(train)
    (train / "shard-00003.bin").unlink()
    with pytest.raises(OperationError) as caught:
        verify.run(configure())
    for name in ("shard-00001.docs", "shard-00002.docs", "shard-00003.bin: missing"):
        assert name in str(caught.value)


def problems(train: Path, change: Callable[[np.ndarray, np.ndarray], None], tok: Tokenizer) -> str:
    """What is found where digests are of no help: the wrong bytes are those that were written."""
    manifest = find_manifest(train.parent)
    assert manifest is not None
    prefix = train / "shard-00000"
    ids = np.memmap(prefix.with_suffix(".bin"), np.uint16, mode="r+")
    change(ids, open_idx(prefix.with_suffix(".idx")).lengths)
    ids.flush()
    return "\n".join(verify.check_shard(prefix, manifest.counts["shards"][0]["train"], tok))


def test_wrong_ids_are_found_without_digests(train: Path, tokenizer: Tokenizer) -> None:
    def swap_two_ids(ids: np.ndarray, lengths: np.ndarray) -> None:
        ids[0] = ids[0] + 1

    assert "document 0 does not decode" in problems(train, swap_two_ids, tokenizer)


def test_an_id_outside_the_vocabulary_is_found(train: Path, tokenizer: Tokenizer) -> None:
    def too_large(ids: np.ndarray, lengths: np.ndarray) -> None:
        ids[3] = tokenizer.vocab_size

    assert f"id {tokenizer.vocab_size}, the voc" in problems(train, too_large, tokenizer)


def test_a_missing_end_of_text_is_found(train: Path, tokenizer: Tokenizer) -> None:
    def no_end(ids: np.ndarray, lengths: np.ndarray) -> None:
        ids[lengths[0] - 1] = 300

    assert "1 documents do not end" in problems(train, no_end, tokenizer)
