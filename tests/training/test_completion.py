"""Damaged checkpoints are passed over by name and reason, whatever is wrong with them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snowcoder.errors import OperationError
from snowcoder.storage.digest import digest_file
from snowcoder.training.checkpoints.checkpoint_record import sealed
from snowcoder.training.checkpoints.completion_record import (
    RECORD,
    find_damage,
    newest_valid,
    read_record,
    step_folder,
    superseded,
)


def make(folder: Path, step: int) -> Path:
    """A checkpoint as far as its record knows."""
    target = step_folder(folder, step)
    target.mkdir(parents=True)
    for name in (".metadata", "__0_0.distcp", "common.pt", "metadata.json"):
        (target / name).write_bytes(f"{name} of {step}".encode() * 100)
    files = [{"name": p.name, "bytes": p.stat().st_size, "digest": digest_file(p)} for p in sorted(target.iterdir())]
    record = {"step": step, "phase_end": False, "recent_losses": [1.5, 2.5], "files": files}
    (target / RECORD).write_text(json.dumps(sealed(record)))
    return target


def content(target: Path) -> dict[str, Any]:
    return json.loads((target / RECORD).read_text())


def rewrite(record: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return lambda target: (target / RECORD).write_text(json.dumps(record(content(target)))) and None


def flip(name: str) -> Callable[[Path], None]:
    def change(target: Path) -> None:
        data = bytearray((target / name).read_bytes())
        data[len(data) // 2] ^= 1
        (target / name).write_bytes(data)

    return change


def put(data: bytes) -> Callable[[Path], None]:
    return lambda target: (target / RECORD).write_bytes(data) and None


def make_loop(target: Path) -> None:
    (target / "common.pt").unlink()
    (target / "common.pt").symlink_to("common.pt")


def make_file(target: Path) -> None:
    shutil.rmtree(target)
    target.write_text("no folder")


def make_record_a_folder(target: Path) -> None:
    (target / RECORD).unlink()
    (target / RECORD).mkdir()


def empty(target: Path) -> None:
    for path in target.iterdir():
        path.unlink()


def outside(record: dict[str, Any]) -> dict[str, Any]:
    record["files"][0]["name"] = "../secret"
    return sealed({key: value for key, value in record.items() if key != "digest"})


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a part is gone": (lambda t: (t / "__0_0.distcp").unlink(), "__0_0.distcp is missing"),
    "metadata is gone": (lambda t: (t / ".metadata").unlink(), ".metadata is missing"),
    "a part is cut": (lambda t: (t / "__0_0.distcp").write_bytes(b"x") and None, "__0_0.distcp has 1 bytes instead of"),
    "a part is empty": (lambda t: (t / "common.pt").write_bytes(b"") or None, "common.pt has 0 bytes instead of"),
    "a bit of a part": (flip("__0_0.distcp"), "the bytes of __0_0.distcp have changed"),
    "a bit of metadata": (flip(".metadata"), "the bytes of .metadata have changed"),
    "a part cannot be read": (make_loop, "common.pt cannot be read (Too many levels"),
    "no record": (lambda t: (t / RECORD).unlink(), "it has no completion record"),
    "an empty record": (put(b""), "its COMPLETE.json cannot be read"),
    "half a record": (lambda t: (t / RECORD).write_bytes((t / RECORD).read_bytes()[:99]) and None, "cannot be read"),
    "a record of noise": (put(b"\xff\x00\x9f" * 99), "its COMPLETE.json cannot be read"),
    "a record nested too deep": (put(b"[" * 100_000), "its COMPLETE.json cannot be read"),
    "a record that is a list": (put(b"[1, 2]"), "its COMPLETE.json cannot be read"),
    "a record that is a number": (put(b"7"), "its COMPLETE.json cannot be read"),
    "a record without files": (rewrite(lambda record: {**record, "files": []}), "its COMPLETE.json cannot be read"),
    "a record with odd files": (rewrite(lambda record: {**record, "files": [7]}), "its COMPLETE.json cannot be read"),
    "a record with a changed number": (
        rewrite(lambda record: {**record, "recent_losses": [1.5, 2.25]}),
        "its COMPLETE.json has changed since it was saved",
    ),
    "a record with a digest that is null": (
        rewrite(lambda record: {**record, "digest": None}),
        "its COMPLETE.json has changed since it was saved",
    ),
    "a record that reaches outside": (rewrite(outside), "its COMPLETE.json cannot be read"),
    "a record that is a folder": (
        make_record_a_folder,
        "its COMPLETE.json cannot be read (Is a directory)",
    ),
    "a file in its place": (make_file, "its COMPLETE.json cannot be read (Not a directory)"),
    "nothing in it": (empty, "it has no completion record"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_by_name(tmp_path: Path, name: str) -> None:
    damage, expected = DAMAGES[name]
    good, bad = make(tmp_path, 5), make(tmp_path, 10)
    assert newest_valid(tmp_path) == (bad, [])
    damage(bad)
    found, (passed_over,) = newest_valid(tmp_path)
    assert found == good
    assert passed_over.startswith(f"step-00000010: {expected}") or f": its {RECORD} {expected}" in passed_over


def test_every_byte_of_a_record_matters(tmp_path: Path) -> None:
    """Whatever byte is flipped, the checkpoint is passed over, or its record says the same as before."""
    target = make(tmp_path, 5)
    before, data = read_record(target).model_dump(exclude={"digest"}), (target / RECORD).read_bytes()
    for position in range(len(data)):
        (target / RECORD).write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        if find_damage(target) is None:
            assert read_record(target).model_dump(exclude={"digest"}) == before


def test_a_record_of_another_step_is_no_record(tmp_path: Path) -> None:
    make(tmp_path, 5).rename(step_folder(tmp_path, 6))
    assert newest_valid(tmp_path) == (None, ["step-00000006: its COMPLETE.json is of step 5"])


def test_early_records_have_no_digest(tmp_path: Path) -> None:
    target = make(tmp_path, 5)
    rewrite(lambda record: {key: value for key, value in record.items() if key != "digest"})(target)
    assert newest_valid(tmp_path) == (target, [])


def test_checkpoints_that_cannot_be_listed_are_not_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("no folder")
    with pytest.raises(OperationError, match=r"cannot list the checkpoints in .*: Not a directory"):
        newest_valid(tmp_path / "checkpoints")
    assert newest_valid(tmp_path / "nowhere") == (None, [])


@pytest.mark.parametrize(
    ("phase_ends", "keep", "going"),
    [
        ({5: False, 10: False, 15: False}, 3, []),
        ({5: False, 10: False, 15: False}, 1, [5, 10]),
        ({5: True, 10: False, 15: False}, 1, [10]),
        ({5: None, 10: False, 15: None}, 1, [5]),  # what a killed save left, and one that is being written
        ({5: False, 10: None, 15: False}, 2, [10]),
        ({5: None}, 1, []),
        ({}, 1, []),
    ],
)
def test_the_newest_and_the_ends_of_phases_stay(
    phase_ends: dict[int, bool | None], keep: int, going: list[int]
) -> None:
    assert superseded(phase_ends, keep) == going
