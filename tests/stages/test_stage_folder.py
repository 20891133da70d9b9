"""A stage's folder: up to date or not, its lock, its manifest, on small stages of real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowcoder.errors import OperationError, UserError
from snowcoder.lineage.manifest import find_manifest
from snowcoder.stages.lock import Busy
from snowcoder.stages.stage import Stage


def stage(folder: Path, seed: int = 1) -> Stage:
    return Stage("write", folder, {"raw": "xxh3:1"}, {"seed": seed})


def make(folder: Path, seed: int = 1, text: str = "made") -> None:
    with stage(folder, seed).making():
        (folder / "out.txt").write_text(text)
        stage(folder, seed).vouch({"files": 1}, ["out.txt"])


def test_what_is_made_is_up_to_date_until_inputs_config_or_files_change(tmp_path: Path) -> None:
    assert stage(tmp_path).find_done() is None
    make(tmp_path)
    done = stage(tmp_path).find_done()
    assert done
    assert done.counts == {"files": 1}
    assert [output.name for output in done.outputs] == ["out.txt"]
    assert stage(tmp_path, seed=2).find_done() is None
    (tmp_path / "out.txt").write_text("longer than it was")
    assert stage(tmp_path).find_done() is None


def test_nothing_vouches_for_what_is_being_made(tmp_path: Path) -> None:
    make(tmp_path)
    with stage(tmp_path, seed=2).making():
        assert find_manifest(tmp_path) is None
    assert find_manifest(tmp_path) is None


def test_a_second_maker_is_refused_and_costs_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    with stage(tmp_path, seed=2).making():
        stage(tmp_path, seed=2).vouch({}, ["out.txt"])
        with pytest.raises(Busy, match=r"is being built by process \d+ on"), stage(tmp_path, seed=3).making():
            pass
    done = find_manifest(tmp_path)
    assert done
    assert done.config == {"seed": 2}


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "hf"
    make(target, text="old")
    (target / "left.txt").write_text("of the old one")
    with stage(target, seed=2).replacing() as partial:
        partial.mkdir()
        (partial / "out.txt").write_text("new")
        assert (target / "out.txt").read_text() == "old"
        assert stage(target).find_done()
        with pytest.raises(UserError, match="is being made by process"), stage(target, seed=3).replacing():
            pass
        stage(target, seed=2).put(partial, {})
    assert stage(target, seed=2).find_done()
    assert (target / "out.txt").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hf"]
    assert not (target / "left.txt").exists()


def test_what_goes_wrong_with_files_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="cannot write in"), stage(tmp_path).making():
        (tmp_path / "none" / "out.txt").write_text("x")
