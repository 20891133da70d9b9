"""What a checkpoint rests on, by digest: its tokenizer, its plan, the index of each source it was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import find_manifest
from snowcoder.mixture.differences import plan_differences
from snowcoder.mixture.phase_plan import Plan, load_plan
from snowcoder.storage.digest import digest_file
from snowcoder.tokenization.load import FILE
from snowcoder.training.checkpoints.checkpoint_record import Basis, CheckpointRecord


def tokenizer_digest(config: Config) -> str | None:
    """As `load_tokenizer` has it; None where there is none."""
    path = config.tokenizer.folder / FILE
    return digest_file(path) if path.is_file() else None


def describe_inputs(plan: Plan, step: int, tokenizer: str | None, imported: str | None = None) -> dict[str, Any]:
    """What the record of a checkpoint at `step` says of it. `inputs`: as a manifest has them."""
    begun = plan.until(step)
    inputs = {"tokenizer": tokenizer, "plan": plan.digest, "imported": imported}
    inputs |= {f"index {name}": digest for name, digest in begun.indexes.items()}
    return {
        "inputs": {name: digest for name, digest in inputs.items() if digest},
        "phases": {phase.name: phase.digest for phase in begun.phases},
        "begun": begun.model_dump(exclude_none=True),
    }


def recorded_inputs(config: Config, record: CheckpointRecord) -> dict[str, str]:
    """What a record names. A record of an earlier version names the plan: where that is at hand, it names the rest."""
    if record.inputs is not None:
        return record.inputs
    named = {"plan": record.plan, "imported": record.imported}
    inputs = {name: digest for name, digest in named.items() if digest}
    if plan := begun_plan(config, record):
        indexes = {name: find_manifest(Path(config.index.dir) / name) for name in plan.indexes}
        inputs |= {f"index {name}": digest for name, digest in plan.indexes.items()}
        known = (index for name, index in indexes.items() if index and index.digest == plan.indexes[name])
        if (index := next(known, None)) and "tokenizer" in index.inputs:
            inputs["tokenizer"] = index.inputs["tokenizer"]
    return inputs


def begun_plan(config: Config, basis: Basis) -> Plan | None:
    """The phases that had begun: as the record has them, or an earlier version's from `plan.dir`; else None."""
    with suppress(ValidationError):  # there is none, or another version wrote it
        return Plan.model_validate(basis.begun)
    try:
        plan = load_plan(Path(config.plan.dir))
    except UserError:
        return None
    digests = {phase.name: phase.digest for phase in plan.phases}
    begun = basis.phases
    if not begun or any(digests.get(name) != digest for name, digest in begun.items()):
        return None
    return plan.model_copy(update={"phases": tuple(phase for phase in plan.phases if phase.name in begun)})


def find_changes(config: Config, record: CheckpointRecord) -> Iterator[str]:
    """Each of tokenizer, plan and indexes that is there, but is not the one that the record names."""
    recorded = recorded_inputs(config, record)
    here = tokenizer_digest(config)
    trained_with = recorded.get("tokenizer", here)
    if trained_with != here:
        yield _not_the_one("tokenizer", config.tokenizer.dir, here, recorded["tokenizer"])
    yield from _plan(config, record)
    for source, digest in _indexes(recorded):
        folder = Path(config.index.dir) / source
        index = find_manifest(folder)
        if index and index.digest != digest:
            yield _not_the_one(f"index of {source}", str(folder), index.digest, digest)
        elif index and index.inputs.get("tokenizer", trained_with) != trained_with:
            yield f"the index of {source} in {folder} was made with another tokenizer ({index.inputs['tokenizer']})"


def _indexes(recorded: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, digest in recorded.items():
        if name.startswith("index "):
            yield name.removeprefix("index "), digest


def _plan(config: Config, record: CheckpointRecord) -> Iterator[str]:
    folder = Path(config.plan.dir)
    if find_manifest(folder) is None:
        return
    plan, begun = load_plan(folder), begun_plan(config, record)
    ours = {phase.name: phase.digest for phase in plan.phases}
    for name, digest in record.phases.items():
        if ours.get(name) != digest:
            what = f": {'; '.join(plan_differences(begun, plan))}" if begun else ""
            yield _not_the_one(f"plan of {name}", config.plan.dir, ours.get(name, "none"), digest) + what
            return  # a later phase's digest covers this one's


def _not_the_one(what: str, where: str, here: str | None, recorded: str) -> str:
    return f"the {what} in {where} ({here}) is not the one that it was trained with ({recorded})"
