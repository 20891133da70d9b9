"""The sources of an index, each with a task for every one of its shards."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index.shard import Task
from snowcoder.lineage.manifest import NAME
from snowcoder.storage.shards import SUFFIXES, list_shards
from snowcoder.storage.store import Store, open_store


@dataclass(frozen=True)
class Source:
    name: str
    folder: Path  # of the index
    store: Store
    tasks: list[Task]


def find_sources(config: Config, names: Iterable[str] = ()) -> list[Source]:
    """The named sources, or all of `index.sources`. Raises one UserError about every one that cannot be built."""
    sources, problems = [], []
    for name in names or config.index.sources:
        if name not in config.index.sources:
            problems.append(f"  {name}: not a source of index.sources, which are {', '.join(config.index.sources)}")
            continue
        store = open_store(config.index.sources[name].shards, config.storage)
        try:
            sources.append(Source(name, Path(config.index.dir) / name, store, _tasks(store)))
        except UserError as error:
            problems.append(f"  index.sources.{name}: {error}")
    if problems:
        there = f"; `snowcoder index build {' '.join(s.name for s in sources)}` builds the others" if sources else ""
        raise UserError("cannot build the index:\n" + "\n".join(problems) + there)
    return sources


def _tasks(store: Store) -> list[Task]:
    shards = list_shards(store)
    promised = _promised_digests(store)
    differing = {info.key for info in shards} ^ promised.keys()
    if promised and differing:
        raise UserError(
            f"{store.url}/{NAME} and the shards there differ in {', '.join(sorted(differing))}; "
            "pack or copy the shards again, or remove that manifest"
        )
    return [Task(f"shard-{number:05d}", info, promised.get(info.key)) for number, info in enumerate(shards)]


def _promised_digests(store: Store) -> dict[str, str]:
    """Shard -> digest, by the manifest that `snowcoder corpus pack` writes beside the shards."""
    if store.stat(NAME) is None:
        return {}
    outputs = json.loads(store.read(NAME))["outputs"]
    return {out["name"]: out["digest"] for out in outputs if out["name"].endswith(SUFFIXES)}
