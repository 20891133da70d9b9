"""Whose shards those at the output are, where the list of them is damaged; and in what order they go."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import NAME, Manifest, Output, find_manifest
from snowcoder.stages.output import OutputShards
from snowcoder.storage.digest import digest_bytes


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


def test_the_manifest_goes_before_a_shard_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = OutputShards(str(tmp_path / "clean"), "corpus.output", load_config([]).storage, tmp_path)
    output.claim(["a.parquet", "b.parquet"], changes=True)
    shards = [Output(name, 1, digest_bytes(b"x")) for name in ("a.parquet", "b.parquet")]
    for shard in shards:
        output.store.write(shard.name, b"x")
    output.publish(Manifest("corpus build", {}, {}, {}, shards))
    deleted, delete = list[str](), output.store.delete

    def noting_delete(name: str) -> None:
        deleted.append(name)
        delete(name)

    monkeypatch.setattr(output.store, "delete", noting_delete)
    output.publish(Manifest("corpus build", {}, {}, {}, shards))
    assert deleted == []
    output.publish(Manifest("corpus build", {}, {}, {}, shards[:1]))
    assert deleted == [NAME, "b.parquet"]
    assert find_manifest(tmp_path / "clean") == Manifest("corpus build", {}, {}, {}, shards[:1])
