"""Where a stage publishes shards: what may be overwritten there, what is removed, and the manifest, written last.

What `Stage` does in a folder, at a place that differs from one in three ways. It may be a bucket: nothing is locked or
replaced there, so the lock is that of the stage's own folder, `work`. It is the user's, and may hold shards of others.
And there is no looking first whether all is up to date: digests of raw shards are known by the records of tasks, so a
run goes through its steps, of which a finished one does nothing, and withdraws the manifest where a shard changes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from snowcoder.config.schema import StorageConfig
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import NAME, Manifest
from snowcoder.storage.atomic import write_json
from snowcoder.storage.shards import SUFFIXES
from snowcoder.storage.store import open_store


class OutputShards:
    """Shards at `url`, the value of the config's `key`, that the build in the folder `work` makes.

    Raises UserError where shards lie that no build of this folder wrote, and where its list of those is damaged.
    """

    def __init__(self, url: str, key: str, storage: StorageConfig, work: Path) -> None:
        self.store = open_store(url, storage)
        self._names = work / "outputs.json"  # also of shards that a killed build wrote without a manifest
        self.owned = self._owned()
        foreign = sorted(self._there() - self.owned)
        if foreign:
            raise UserError(
                f"{self.store.url} has {len(foreign)} shard(s) that are not of the build in {work}, such as "
                f"{foreign[0]}: remove them, or set {key} to an empty place"
            )

    def claim(self, names: list[str], changes: bool) -> None:
        """Before shards of these names are written. With `changes`, nothing vouches for what is there from now on."""
        self.owned |= set(names)
        write_json(self._names, sorted(self.owned))
        if changes:
            self.store.delete(NAME)

    def publish(self, manifest: Manifest) -> None:
        """Remove what is outdated, then vouch for the rest."""
        outdated = self._there() - {output.name for output in manifest.outputs}
        for name in [NAME, *outdated] if outdated else []:  # the manifest that names them first
            self.store.delete(name)
        with tempfile.TemporaryDirectory() as folder:
            manifest.write(Path(folder))
            self.store.write(NAME, (Path(folder) / NAME).read_bytes())

    def _there(self) -> set[str]:
        return {info.key for info in self.store.list() if info.key.endswith(SUFFIXES)}

    def _owned(self) -> set[str]:
        try:
            return set(TypeAdapter(list[str]).validate_json(self._names.read_bytes()))
        except FileNotFoundError:
            return set()
        except ValidationError:
            raise UserError(
                f"{self._names} is damaged: it lists the shards in {self.store.url} that are of this build. Remove it, "
                f"and the shards, which then nobody knows to be of this build, and run the same command again"
            ) from None
