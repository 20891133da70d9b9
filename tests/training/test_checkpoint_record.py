"""The bytes of COMPLETE.json, and what is read of one that another version wrote."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.layout import as_trained
from snowcoder.export import load
from snowcoder.mixture.phase_plan import Plan
from snowcoder.storage.atomic import write_json
from snowcoder.storage.digest import digest_bytes
from snowcoder.training.checkpoints.checkpoint_record import CheckpointFile, CheckpointRecord, sealed
from snowcoder.training.checkpoints.completion_record import RECORD, newest_valid, read_record, step_folder
from snowcoder.training.checkpoints.write import describe_checkpoint
from snowcoder.training.identity import recorded_inputs
from snowcoder.training.may_start import find_misfits, other_past
from snowcoder.training.recovery.skips import Skip
from tests.tiny import tiny_overrides

FILES = (
    '"files": [{"name": ".metadata", "bytes": 3, "digest": "m"}, {"name": "__0_0.distcp", "bytes": 5, "digest": "d"}]'
)
SECTIONS = """
"model": {"layers": 2, "rope_theta": 10000.0, "tied_embeddings": true},
"parallel": {"tensor": 2, "distributed_optimizer": true},
"precision": {"dtype": "bf16", "peak_tflops": null}
"""
PHASE = """
{"name": "phase1", "first_step": 0, "steps": 4, "sequence_length": 8, "global_batch": 2,
 "learning_rate": {"peak": 0.001, "warmup_steps": 2, "shape": "cosine", "final_ratio": 0.1}, "optimizer_state": "keep",
 "sources": [
  {"name": "raw", "draws": 6, "first_token": 0, "epoch_tokens": 9000, "index": "raw digest"},
  {"name": "selected", "draws": 2, "first_token": 16, "epoch_tokens": 9000, "index": "selected digest"}
 ], "digest": "one"}
"""
WRITERS = '{"torch": "2.13.0", "megatron-core": "0.16.1"}'
# As they were written before records had types, but for `written_by`.
TRAINED = f"""
{{"step": 4, "phase": "phase1", "phase_end": true,
"inputs": {{"tokenizer": "tok", "plan": "two", "index raw": "raw digest", "index selected": "selected digest"}},
"phases": {{"phase1": "one"}}, "begun": {{"seed": 7, "phases": [{PHASE}]}},
"ledger": {{"phase1": {{"raw": 48, "selected": 16}}}}, "cursors": {{"raw": 48, "selected": 16}},
"plan": "two", "imported": null,
"skips": [{{"first": 1, "last": 3, "why": "loss spike at step 3", "phase": "one", "back_to": 0}}],
"recent_losses": [2.5, 2.25], "written_by": {WRITERS},
{SECTIONS}, {FILES}, "digest": "92d5dd1a3c03e8c1f6d14f4cc8431757"}}
"""
IMPORTED = f"""
{{"step": 0, "phase": "import", "phase_end": false, "phases": {{}}, "ledger": {{}}, "cursors": {{}},
"imported": "d0ef0d2d1c68fbebaabe32a81cfbc702",
"inputs": {{"imported": "d0ef0d2d1c68fbebaabe32a81cfbc702", "tokenizer": "dc7048f8f8747f561349cde127705c16"}},
"written_by": {WRITERS},
{SECTIONS}, {FILES}, "digest": "aa529e875469d71a9d35ab4195a719f6"}}
"""


def config_of(folder: Path) -> Any:
    """Sections of few keys: records do not depend on which there are."""
    sections = json.loads(f"{{{SECTIONS}}}")
    dumps = {name: SimpleNamespace(model_dump=lambda keys=keys: keys) for name, keys in sections.items()}
    return SimpleNamespace(tokenizer=SimpleNamespace(dir=str(folder), folder=folder), **dumps)


def trained(folder: Path) -> CheckpointRecord:
    """At the end of the first of two phases; a later skip is not of it."""
    phase1 = json.loads(PHASE)
    phase2 = phase1 | {"name": "phase2", "first_step": 4, "digest": "two"}
    skips = [
        Skip(first=1, last=3, why="loss spike at step 3", phase="one", back_to=0),
        Skip(first=6, last=7, why="later", phase="two"),
    ]
    run: Any = SimpleNamespace(
        plan=Plan.model_validate({"seed": 7, "phases": [phase1, phase2]}),
        step=4,
        tokenizer="tok",
        imported=None,
        skips=SimpleNamespace(all=skips),
        losses=[2.5, 2.25],
        config=config_of(folder),
    )
    return describe_checkpoint(run)


def imported(folder: Path) -> CheckpointRecord:
    (folder / "tokenizer.json").write_text("{}")
    (folder / "weights").write_bytes(b"weights")
    return load._record(config_of(folder), [folder / "weights"])


@pytest.mark.parametrize(("make", "golden"), [(trained, TRAINED), (imported, IMPORTED)])
def test_its_bytes_are_those_of_before_it_had_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, golden: str
) -> None:
    monkeypatch.setattr(metadata, "version", json.loads(WRITERS).__getitem__)
    files = [CheckpointFile(**file) for file in json.loads(f"{{{FILES}}}")["files"]]
    write_json(tmp_path / RECORD, make(tmp_path).completed(files))
    assert (tmp_path / RECORD).read_text() == json.dumps(json.loads(golden), indent=1) + "\n"
    record = read_record(tmp_path)
    assert record.files == files
    same = {"exclude": {"files", "digest"}}
    assert record.model_dump_json(**same) == make(tmp_path).model_dump_json(**same)


def checkpoint(folder: Path, seal: bool = True, **changes: Any) -> Path:
    """One of step 4, with a part of four bytes."""
    target = step_folder(folder, 4)
    target.mkdir()
    (target / "part").write_bytes(b"data")
    files = [{"name": "part", "bytes": 4, "digest": digest_bytes(b"data")}]
    content = {key: value for key, value in json.loads(TRAINED).items() if key != "digest"} | {"files": files} | changes
    content = {key: value for key, value in content.items() if value is not ...}
    (target / RECORD).write_text(json.dumps(sealed(content) if seal else content))
    return target


def test_a_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """As the first one wrote it: without lineage, skips, losses and a digest of its own."""
    config = load_config(tiny_overrides(tmp_path))
    sections = {name: getattr(config, name).model_dump() for name in ("model", "parallel", "precision")}
    del sections["precision"]["peak_tflops"]  # is newer
    later = dict.fromkeys(("inputs", "begun", "skips", "recent_losses"), ...)
    target = checkpoint(tmp_path, seal=False, **later, **sections)
    assert newest_valid(tmp_path) == (target, [])
    record = read_record(target)
    assert (record.inputs, record.begun, record.skips, record.recent_losses) == (None, None, [], [])
    assert recorded_inputs(config, record) == {"plan": "two"}
    assert [*find_misfits(config, record)] == []
    assert as_trained(config, record.model, record.parallel, record.precision) == config
    plan = Plan.model_validate({"seed": 7, "phases": [json.loads(PHASE)]})
    assert [*other_past(config, plan, record, "it")] == []


def test_what_a_later_version_adds_is_in_the_digest_and_no_obstacle(tmp_path: Path) -> None:
    target = checkpoint(tmp_path, model={"layers": 2, "experts": 8}, colour="blue")
    assert newest_valid(tmp_path) == (target, [])
    assert read_record(target).model["experts"] == 8
    (target / RECORD).write_text((target / RECORD).read_text().replace("blue", "grey"))
    assert newest_valid(tmp_path) == (None, [f"step-00000004: its {RECORD} has changed since it was saved"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step": "4"}, "step: Input should be a valid integer"),
        ({"step": ...}, "step: Field required"),
        ({"phase_end": "no"}, "phase_end: Input should be a valid boolean"),
        ({"phases": ["phase1"]}, "phases: Input should be an object"),
        ({"ledger": {"phase1": {"raw": 1.5}}}, "ledger.phase1.raw: Input should be a valid integer"),
        ({"recent_losses": [1.0, "nan"]}, "recent_losses.1: Input should be a valid number"),
        ({"skips": [{"first": 1}]}, "skips.0.last: Field required"),
        ({"files": [{"name": "part", "bytes": "4", "digest": ""}]}, "files.0.bytes: Input should be a valid integer"),
        ({"files": [{"name": "..", "bytes": 4, "digest": ""}]}, "files.0.name: Value error, not the name of a file"),
        ({"files": []}, "it names no files"),
    ],
)
def test_what_has_a_wrong_type_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    checkpoint(tmp_path, **changes)
    found, (passed_over,) = newest_valid(tmp_path)
    assert found is None
    assert passed_over.startswith(f"step-00000004: its {RECORD} cannot be read ({said}")
