"""The shards of a source, with the digests that a manifest beside them vouches for."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from snowcoder.errors import UserError
from snowcoder.lineage.manifest import NAME
from snowcoder.storage.objects import ObjectInfo, Store
from snowcoder.storage.shards import SUFFIXES, list_shards


class Shard(NamedTuple):
    info: ObjectInfo
    digest: str | None  # that a manifest beside the shards vouches for


def find_promised_shards(store: Store) -> list[Shard]:
    """All shards of `store`. Raises UserError where there is none, or others than its manifest names."""
    shards = list_shards(store)
    promised = _promised_digests(store)
    differing = {info.key for info in shards} ^ promised.keys()
    if promised and differing:
        raise UserError(
            f"{store.url}/{NAME} and the shards there differ in {', '.join(sorted(differing))}; "
            "pack or copy the shards again, or remove that manifest"
        )
    return [Shard(info, promised.get(info.key)) for info in shards]


def _promised_digests(store: Store) -> dict[str, str]:
    """Shard -> digest, by the manifest that the stage which wrote the shards put beside them."""
    if store.stat(NAME) is None:
        return {}
    outputs: list[dict[str, Any]] = json.loads(store.read(NAME))["outputs"]
    return {out["name"]: out["digest"] for out in outputs if out["name"].endswith(SUFFIXES)}
