"""What every stage does, once: is its work there? Else lock the folder, take the old manifest away, make, vouch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snowcoder.errors import UserError
from snowcoder.lineage.manifest import NAME, Manifest, Output, describe_outputs, find_manifest
from snowcoder.stages.lock import ALL, Part, build_lock
from snowcoder.storage.atomic import publish_folder, writing_to
from snowcoder.storage.lock import Held, locked, name_holder, read_holder


@contextmanager
def working_in(folder: Path, part: Part = ALL) -> Iterator[list[Held]]:
    """The right to write into a stage's folder, alone or beside other parts. Raises `Busy`, naming who has it."""
    with writing_to(folder), build_lock(folder, part) as locks:
        yield locks


@dataclass(frozen=True)
class Stage:
    """Work that lies in `folder` when it is done, and is decided by `inputs` and `decided_by` alone."""

    name: str  # of the verb, for the manifest
    folder: Path
    inputs: dict[str, Any]  # digests of what is read; what has none before it is read gets it by `replace`, to vouch
    decided_by: dict[str, Any]  # the part of the config that decides what is made; no paths, which differ by machine

    def find_done(self) -> Manifest | None:
        """The manifest of finished work that would be made again just so, with all its files; else None."""
        done = find_manifest(self.folder)
        if done is None or not done.made_from(self.inputs, self.decided_by) or done.check_files(self.folder):
            return None
        return done

    def is_done(self, what: str) -> bool:
        """Whether there is nothing to do; then says so."""
        if self.find_done() is None:
            return False
        print(f"{what}: {self.folder} is up to date")
        return True

    @contextmanager
    def making(self) -> Iterator[list[Held]]:
        """The right to make it. Nothing vouches for what is in the folder, until `vouch` does.

        Where what is read in it can still be refused: `working_in` its folder, and `withdraw` after that.
        """
        with working_in(self.folder) as locks:
            self.withdraw()
            yield locks

    def withdraw(self) -> None:
        """Take the old manifest away, before the first file that it vouches for changes."""
        (self.folder / NAME).unlink(missing_ok=True)

    def vouch(self, counts: dict[str, Any], outputs: Iterable[str | Output]) -> Manifest:
        """Write the manifest, last. Outputs that are given by name alone are digested."""
        manifest = self.manifest(counts, outputs)
        manifest.write(self.folder)
        return manifest

    def renew(self, done: Manifest, **counts: Any) -> None:
        """Vouch again for finished work, of inputs that were touched and hold the same bytes: `counts` tell that."""
        with working_in(self.folder):
            replace(done, counts={**done.counts, **counts}).write(self.folder)

    def manifest(self, counts: dict[str, Any], outputs: Iterable[str | Output]) -> Manifest:
        found = [each if isinstance(each, Output) else describe_outputs(self.folder, [each])[0] for each in outputs]
        return Manifest(self.name, self.inputs, self.decided_by, counts, found)

    @contextmanager
    def replacing(self) -> Iterator[Path]:
        """A new folder beside the stage's, which stays as it is until `put` has the new one in its place."""
        lock, partial = (self.folder.with_name(f"{self.folder.name}.{suffix}") for suffix in ("lock", "partial"))
        lock.parent.mkdir(parents=True, exist_ok=True)
        with writing_to(self.folder.parent), locked(lock, lambda: self._busy(lock)):
            yield partial

    def put(self, partial: Path, counts: dict[str, Any]) -> Manifest:
        """Vouch for all files of a folder that is finished, and put it in its place."""
        manifest = replace(self, folder=partial).vouch(counts, sorted(path.name for path in partial.iterdir()))
        publish_folder(partial, self.folder)
        return manifest

    def _busy(self, lock: Path) -> UserError:
        return UserError(f"{self.folder} is being made by {name_holder(read_holder(lock))}: wait until it is done")
