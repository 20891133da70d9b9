"""What a checkpoint's completion record says, as types. Needs no torch.

Keys that a record of an earlier version lacks have defaults; those of a later version are ignored.
"""

from __future__ import annotations

import os
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ModelWrapValidatorHandler, model_validator

from snowcoder.storage.digest import digest_json
from snowcoder.training.recovery.skips import Skip

_FACTS = ConfigDict(frozen=True, strict=True)


def _of_this_folder(name: str) -> str:
    """A name with a folder in it would reach files that are none of the checkpoint's."""
    if name != os.path.basename(name) or name in ("", ".", ".."):
        raise ValueError("not the name of a file in its folder")
    return name


class CheckpointFile(BaseModel):
    model_config = _FACTS

    name: Annotated[str, AfterValidator(_of_this_folder)]
    bytes: int
    digest: str


class Basis(BaseModel):
    """What a training rests on, by digest, as `describe_inputs` has it. A training's lock says it, too."""

    model_config = _FACTS

    inputs: dict[str, str] | None = None  # as a manifest has them
    phases: dict[str, str] = {}  # that had begun
    begun: dict[str, Any] | None = None  # the plan of those; what another version wrote may be none of ours


class CheckpointRecord(Basis):
    """The content of COMPLETE.json."""

    step: int
    phase: str | None = None
    phase_end: bool = True  # a checkpoint that does not tell stays
    ledger: dict[str, dict[str, int]] = {}  # tokens of each phase by source
    cursors: dict[str, int] = {}  # tokens taken of each source's stream
    plan: str | None = None  # digest
    imported: str | None = None  # digest of the weights that the run began from, if they were not drawn
    skips: list[Skip] = []
    recent_losses: list[float] = []
    written_by: dict[str, str] = {}  # versions of the packages whose formats it has
    # Sections of the config as they were: a key of another version's must not make a checkpoint unreadable.
    model: dict[str, Any] = {}
    parallel: dict[str, Any] = {}
    precision: dict[str, Any] = {}
    files: list[CheckpointFile] = []
    digest: str | None = None  # of all the rest

    _keys: tuple[str, ...] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _keep_order(cls, content: Any, build: ModelWrapValidatorHandler[CheckpointRecord]) -> CheckpointRecord:
        """Keys are written as they were given: imported weights have theirs in another order than a training."""
        record = build(content)
        record._keys = tuple(content)
        return record

    @property
    def dtype(self) -> str:
        found: str = self.precision["dtype"]
        return found

    @property
    def distributed_optimizer(self) -> bool:
        found: bool = self.parallel["distributed_optimizer"]
        return found

    def completed(self, files: list[CheckpointFile]) -> dict[str, Any]:
        """What is written when all `files` are there."""
        content = self.model_dump()
        given = {key: content[key] for key in self._keys}
        return sealed({**given, "files": [file.model_dump() for file in files]})


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with a digest of its own."""
    return {**record, "digest": digest_json(record)}
