"""What rests on a folder: checkpoints of this run and of runs near it, and trainings that are going on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from snowcoder.errors import UserError
from snowcoder.lineage.dependents import refuse_change
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.storage.lock import locked

INPUTS = {"tokenizer": "aaa", "plan": "ppp", "index raw": "iii"}
EARLIER = {"step": 5, "phases": {"phase1": "x"}, "ledger": {"phase1": {"raw": 640}}}  # of a version without `inputs`


def checkpoint(run: Path, record: dict[str, Any]) -> None:
    folder = run / "train" / "checkpoints" / "step-00000005"
    folder.mkdir(parents=True)
    (folder / "COMPLETE.json").write_text(json.dumps(record))


def reads(run: Path, root: Path) -> None:
    """What a run's frozen config says of where it reads."""
    places = {group: {"dir": str(root / group)} for group in ("tokenizer", "index", "plan")}
    (run / "resolved.yaml").write_text(yaml.safe_dump(places))


@pytest.mark.parametrize(
    ("what", "digest", "named"),
    [
        ("tokenizer", "aaa", True),
        ("tokenizer", "bbb", False),
        ("index raw", "iii", True),
        ("index raw", "jjj", False),
        ("index selected", "iii", False),
    ],
)
def test_what_a_checkpoint_of_the_run_names_is_protected(tmp_path: Path, what: str, digest: str, named: bool) -> None:
    checkpoint(tmp_path / "run", {"inputs": INPUTS})
    if not named:
        refuse_change(str(tmp_path / "run"), tmp_path / "elsewhere", what, digest)
        return
    with pytest.raises(UserError, match=rf"elsewhere holds the {what.split()[0]} that the checkpoint .*step-00000005"):
        refuse_change(str(tmp_path / "run"), tmp_path / "elsewhere", what, digest)


def test_a_record_of_an_earlier_version_protects_what_it_was_trained_on(tmp_path: Path) -> None:
    checkpoint(tmp_path, EARLIER)
    for what in ("tokenizer", "index raw"):
        with pytest.raises(UserError, match=r"another run\.dir"):
            refuse_change(str(tmp_path), tmp_path / "elsewhere", what, "whatever")
    refuse_change(str(tmp_path), tmp_path / "elsewhere", "index selected", "whatever")


def test_a_damaged_record_protects_nothing(tmp_path: Path) -> None:
    checkpoint(tmp_path, {"inputs": INPUTS})
    for text in ("", "[1, 2]", '{"inputs'):
        (tmp_path / "train" / "checkpoints" / "step-00000005" / "COMPLETE.json").write_text(text)
        refuse_change(str(tmp_path), tmp_path / "tokenizer", "tokenizer", "aaa")


@pytest.mark.parametrize("other", ["runs/other", "runs/mine/ablations/schedule/cosine"])
@pytest.mark.parametrize("where", ["shared", "own", "not read"])
def test_runs_near_protect_what_they_read(tmp_path: Path, other: str, where: str) -> None:
    """Where their frozen config names the folder, or where it is theirs; not a copy that they do not read."""
    run = tmp_path / other
    checkpoint(run, {"inputs": INPUTS})
    reads(run, tmp_path / "shared" if where == "shared" else run)
    folder = run / "tokenizer" if where == "own" else tmp_path / "shared" / "tokenizer"
    mine = str(tmp_path / "runs" / "mine")
    if where == "not read":
        refuse_change(mine, folder, "tokenizer", "aaa")
    else:
        with pytest.raises(UserError, match=f"the checkpoint {run}"):
            refuse_change(mine, folder, "tokenizer", "aaa")
    refuse_change(mine, folder, "tokenizer", "bbb")


def test_a_run_in_this_very_folder_sees_what_is_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint(Path("other"), {"inputs": INPUTS})
    reads(Path("other"), Path("shared"))
    with pytest.raises(UserError, match="the checkpoint other/train"):
        refuse_change("mine", tmp_path / "shared" / "tokenizer", "tokenizer", "aaa")


def test_of_a_shared_index_each_source_is_protected(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "other"
    checkpoint(run, {"inputs": INPUTS})
    reads(run, tmp_path / "shared")
    with pytest.raises(UserError, match=r"Set another index\.dir"):
        refuse_change(str(tmp_path / "runs" / "mine"), tmp_path / "shared" / "index" / "raw", "index raw", "iii")


def test_a_training_protects_what_it_reads_before_its_first_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    lock = RunFolder(tmp_path).lock
    with locked(lock, lambda: UserError("busy"), about={"inputs": INPUTS}):
        with pytest.raises(UserError, match=r"that the training of .*, process \d+ on .*, rests on"):
            refuse_change(str(tmp_path), tmp_path / "tokenizer", "tokenizer", "aaa")
        refuse_change(str(tmp_path), tmp_path / "tokenizer", "tokenizer", "bbb")
        left = lock.read_text()
    lock.write_text(left)  # as a killed training leaves it
    refuse_change(str(tmp_path), tmp_path / "tokenizer", "tokenizer", "aaa")
