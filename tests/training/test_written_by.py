"""A checkpoint that a newer torch or megatron-core wrote is never called damaged, or something to be removed."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    TensorProperties,
    TensorStorageMetadata,
)

from snowcoder.errors import OperationError
from snowcoder.training.checkpoints.checkpoint_record import sealed
from snowcoder.training.checkpoints.completion_record import RECORD, newest_valid, read_record, step_folder
from snowcoder.training.checkpoints.safe_metadata import safe_loading
from snowcoder.training.checkpoints.written_by import too_old_here, written_by
from tests.tiny import snowcoder
from tests.training.records import vouch_for
from tests.training.small_run import SmallRun

STEPS = 8


def a_field_more(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Metadata as torch 2.15 wrote it for 2.13: its tensors' properties have a field that this torch does not know."""
    fields = TensorProperties.__getstate__
    monkeypatch.setattr(TensorProperties, "__getstate__", lambda self: (*fields(self), "more"))
    chunk = ChunkStorageMetadata(torch.Size([0]), torch.Size([2]))
    tensor = TensorStorageMetadata(TensorProperties(), torch.Size([2]), [chunk])
    data = pickle.dumps(Metadata({"weight": tensor}))
    monkeypatch.undo()
    return data


def checkpoint(folder: Path, metadata: bytes, **versions: str) -> Path:
    target = step_folder(folder, 4)
    target.mkdir()
    (target / ".metadata").write_bytes(metadata)
    versions = {name.replace("_", "-"): version for name, version in versions.items()}
    (target / RECORD).write_text(json.dumps(sealed({"step": 4, "written_by": versions, "files": []})))
    return target


def told(target: Path) -> str:
    with pytest.raises(OperationError) as caught, safe_loading(target):
        pytest.fail("it was accepted")
    return str(caught.value)


def test_what_a_newer_torch_wrote_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = written_by()
    target = checkpoint(tmp_path, a_field_more(monkeypatch), torch="9.15.0+cpu", megatron_core=here["megatron-core"])
    text = told(target)
    assert f"written by a newer version, torch 9.15.0+cpu, and torch {here['torch']} cannot read it (ValueError" in text
    assert "Keep it" in text
    assert "pip install 'torch>=9.15.0'`" in text
    assert "remove" not in text


def test_both_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(checkpoint(tmp_path, a_field_more(monkeypatch), torch="9.15.0", megatron_core="9.19.2"))
    assert "written by a newer version, torch 9.15.0 and megatron-core 9.19.2, and torch " in text
    assert "'torch>=9.15.0' 'megatron-core>=9.19.2'" in text


@pytest.mark.parametrize("version", ["2.0.0", "no version", ""])
def test_without_a_newer_version_it_is_refused_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    assert ".metadata is no metadata (ValueError)" in told(
        checkpoint(tmp_path, a_field_more(monkeypatch), torch=version)
    )


def test_a_record_without_versions_is_of_before_they_were_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ".metadata is no metadata (ValueError)" in told(checkpoint(tmp_path, a_field_more(monkeypatch)))


def test_a_class_of_torch_that_is_not_known_may_be_new(tmp_path: Path) -> None:
    data = pickle.dumps(torch.device("cpu"))  # stands for what a later metadata has
    text = told(checkpoint(tmp_path, data, torch="9.15.0"))
    assert "written by a newer version" in text
    assert "torch.device" in text


def test_a_record_does_not_make_foreign_code_newer(tmp_path: Path) -> None:
    text = told(checkpoint(tmp_path, b"cos\nsystem\n(S'true'\ntR.", torch="9.15.0"))
    assert ".metadata would call os.system" in text
    assert "newer" not in text


def test_a_local_build_is_not_older_than_its_release(tmp_path: Path) -> None:
    release = written_by()["torch"].partition("+")[0]
    assert too_old_here(checkpoint(tmp_path, b"", torch=f"{release}+cu132"), ValueError()) is None


def test_what_fails_later_is_told_too(tmp_path: Path) -> None:
    """What is inside of the parts, which megatron-core reads."""
    target = checkpoint(tmp_path, pickle.dumps(Metadata({})), megatron_core="9.19.2")
    refused = pytest.raises(OperationError, match=r"newer version, megatron-core 9\.19\.2.*KeyError: 'common_state'")
    with refused, safe_loading(target):
        raise KeyError("common_state")


def test_other_errors_pass(tmp_path: Path) -> None:
    target = checkpoint(tmp_path, pickle.dumps(Metadata({})), torch="2.0.0")
    with pytest.raises(KeyError), safe_loading(target):
        raise KeyError("common_state")


def test_a_training_says_so_and_leaves_the_checkpoint(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SmallRun(tmp_path, workspace, "tp1", STEPS).plan()
    run.train()
    target = step_folder(run.checkpoints, STEPS)
    assert read_record(target).written_by == written_by()
    (target / ".metadata").write_bytes(a_field_more(monkeypatch))
    vouch_for(target, written_by={"torch": "9.15.0", "megatron-core": "9.19.2"})
    before = sorted(target.iterdir())
    done = snowcoder("train", *run.overrides, "phase=[phase1,phase2]", check=False)
    assert done.returncode == 1
    assert f"{target} is not loaded: it was written by a newer version, torch 9.15.0 and megatron-core" in done.stderr
    assert "remove" not in done.stderr
    assert sorted(target.iterdir()) == before
    assert newest_valid(run.checkpoints) == (target, [])
