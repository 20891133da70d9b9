"""manifest.json of a stage: what went in, how, and what came out. Written last, atomically."""

from __future__ import annotations

import functools
import json
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from snowcoder import __version__
from snowcoder.errors import UserError
from snowcoder.storage.atomic import write_json
from snowcoder.storage.digest import digest_file, digest_json

NAME = "manifest.json"


@functools.cache
def code_version() -> dict[str, str]:
    """Version of snowcoder, and the commit where it runs from a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # installed, and git would tell of whatever checkout the environment lies in
        return {"version": __version__}
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        found = ""
    return {"version": __version__, **({"commit": found} if found else {})}


@dataclass(frozen=True)
class Output:
    """One file a stage wrote, relative to the stage's folder."""

    name: str
    bytes: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    stage: str
    inputs: dict[str, Any]  # name -> digest or, for shards, a list of {name, bytes, digest}
    config: dict[str, Any]  # the part of the config that decided the outputs
    counts: dict[str, Any]  # documents, bytes, tokens, what was dropped and why
    outputs: list[Output]
    code: dict[str, str] = field(default_factory=code_version)

    @property
    def digest(self) -> str:
        """Identity of what the stage made: its inputs, config and outputs, not when or by which build."""
        return digest_json({"inputs": self.inputs, "config": self.config, "outputs": [asdict(o) for o in self.outputs]})

    def output(self, name: str) -> Output:
        return next(output for output in self.outputs if output.name == name)

    def write(self, folder: Path) -> None:
        write_json(folder / NAME, {"digest": self.digest, **asdict(self)})

    def made_from(self, inputs: dict[str, Any], config: dict[str, Any]) -> bool:
        """Whether this stage, run again with these inputs and this config, would make the same."""
        return self.inputs == inputs and self.config == config

    def check_files(self, folder: Path, digests: bool = False) -> list[str]:
        """What is wrong with the files on disk: missing, of another size or (`digests`) other bytes."""
        problems = []
        for output in self.outputs:
            path = folder / output.name
            if not path.is_file():
                problems.append(f"{path}: missing")
            elif path.stat().st_size != output.bytes:
                problems.append(f"{path}: {path.stat().st_size} bytes, the manifest says {output.bytes}")
            elif digests and digest_file(path) != output.digest:
                problems.append(f"{path}: its bytes are not those the manifest vouches for")
        return problems


def describe_outputs(folder: Path, names: list[str]) -> list[Output]:
    """Outputs of the named files of `folder`, digested."""
    return [Output(name, (folder / name).stat().st_size, digest_file(folder / name)) for name in names]


def find_manifest(folder: Path) -> Manifest | None:
    """The manifest of a stage's folder, or None where the stage has not finished."""
    try:
        raw = json.loads((folder / NAME).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{folder / NAME} is not a manifest ({error}); remove it and run the stage again") from None
    written = raw.pop("digest", None)
    manifest = Manifest(**{**raw, "outputs": [Output(**output) for output in raw["outputs"]]})
    if manifest.digest != written:
        raise UserError(f"{folder / NAME} was changed after it was written; run the stage again")
    return manifest


def read_manifest(folder: Path, how: str) -> Manifest:
    """Like `find_manifest`, but an unfinished stage is an error that says `how` to run it."""
    manifest = find_manifest(folder)
    if manifest is None:
        raise UserError(f"{folder} has no {NAME}: run `{how}` first")
    return manifest
