"""Whose shards those at the output are, where the list of them is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.errors import UserError
from snowcoder.stages.output import OutputShards


@pytest.mark.parametrize("content", [b"junk", b"", b"\xff", b'{"a": 1}', b"[1]", b'"part"'])
def test_a_damaged_list_is_refused_by_its_name_and_can_be_removed(tmp_path: Path, content: bytes) -> None:
    place, shard = tmp_path / "clean", tmp_path / "clean" / "part-00000.parquet"
    place.mkdir()
    shard.write_bytes(b"")
    names = tmp_path / "outputs.json"
    names.write_bytes(content)

    def output() -> OutputShards:
        return OutputShards(str(place), "corpus.output", load_config([]).storage, tmp_path)

    with pytest.raises(UserError, match=f"{names} is damaged.*{place}.*Remove it, and the shards"):
        output()
    names.unlink()
    with pytest.raises(UserError, match=r"1 shard\(s\) that are not of the build"):
        output()
    shard.unlink()
    assert output().owned == set()
