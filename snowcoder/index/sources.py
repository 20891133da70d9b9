"""The sources of an index, each with its shards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.index.shard import ShardToIndex
from snowcoder.lineage.vouched_shards import find_promised_shards
from snowcoder.storage.objects import Store
from snowcoder.storage.store import open_store


@dataclass(frozen=True)
class Source:
    name: str
    folder: Path  # of the index
    store: Store
    shards: list[ShardToIndex]


def find_sources(config: Config, names: Iterable[str] = ()) -> list[Source]:
    """The named sources, or all of `index.sources`. Raises one UserError about every one that cannot be built."""
    sources, problems = [], []
    for name in names or [name for name, source in config.index.sources.items() if source.selection_of is None]:
        if name not in config.index.sources:
            problems.append(f"  {name}: not a source of index.sources, which are {', '.join(config.index.sources)}")
            continue
        if config.index.sources[name].selection_of:
            problems.append(f"  {name}: a selection, which `snowcoder annotate select` makes")
            continue
        store = open_store(config.index.sources[name].shards, config.storage)
        try:
            sources.append(Source(name, Path(config.index.dir) / name, store, _shards(store)))
        except UserError as error:
            problems.append(f"  index.sources.{name}: {error}")
    if problems:
        there = f"; `snowcoder index build {' '.join(s.name for s in sources)}` builds the others" if sources else ""
        raise UserError("cannot build the index:\n" + "\n".join(problems) + there)
    return sources


def _shards(store: Store) -> list[ShardToIndex]:
    shards = enumerate(find_promised_shards(store))
    return [ShardToIndex(f"shard-{number:05d}", shard.info, shard.digest) for number, shard in shards]
