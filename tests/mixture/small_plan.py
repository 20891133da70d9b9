"""Index folders whose every token is different, and configs of phases over them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.index.format import write_idx
from snowcoder.lineage.manifest import Manifest, describe_outputs
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.mixture.samples import SampleReader
from snowcoder.planning import plan

SHARDS = 3


def write_index(folder: Path, lengths: list[int], held_out: tuple[int, ...] = (), first: int = 0) -> None:
    """An index of documents of these lengths in three shards; its ids are first, first + 1, ..."""
    shards: list[dict[str, Any]] = [{"name": f"shard-{n}"} for n in range(SHARDS)]
    for split, sizes in {"train": lengths, "held_out": list(held_out)}.items():
        for shard, part in zip(shards, np.array_split(np.array(sizes, int), SHARDS), strict=True):
            tokens = int(part.sum())
            shard[split] = {"documents": len(part), "tokens": tokens}
            if tokens:
                _write_shard(folder / split / shard["name"], part, first)
            first += tokens
    counts: dict[str, Any] = {
        split: {key: sum(shard[split][key] for shard in shards) for key in ("documents", "tokens")}
        for split in ("train", "held_out")
    }
    files = [str(p.relative_to(folder)) for p in sorted(folder.rglob("shard-*"))]
    outputs = describe_outputs(folder, files)
    Manifest("index", {}, {}, {**counts, "shards": shards}, outputs).write(folder)


def _write_shard(prefix: Path, lengths: np.ndarray, first: int) -> None:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    ids = np.arange(first, first + lengths.sum(), dtype=np.int32)
    prefix.with_suffix(".bin").write_bytes(ids.tobytes())
    write_idx(prefix.with_suffix(".idx"), lengths, np.dtype(np.int32))


@functools.cache
def _base() -> dict[str, Any]:
    return load_config(["parallel=single"]).model_dump()


def configure(folder: Path, seed: int = 1, **phases: dict[str, Any]) -> Config:
    """A config of these phases, over indexes in `folder`/index, with the plan in `folder`/plan."""
    base = _base()
    sources = {name: {"shards": "-"} for phase in phases.values() for name in phase["sources"]}
    return Config.model_validate(
        {
            **base,
            "run": {**base["run"], "seed": seed},
            "index": {**base["index"], "dir": str(folder / "index"), "sources": sources},
            "plan": {**base["plan"], "dir": str(folder / "plan")},
            "phases": phases,
        }
    )


def phase(steps: int, batch: int, length: int, **sources: tuple[float, float]) -> dict[str, Any]:
    """A phase of the config; `sources`: share and cap of each."""
    return {
        "tokens": steps * batch * length,
        "global_batch": batch,
        "sequence_length": length,
        "sources": {name: {"share": share, "max_epochs": cap} for name, (share, cap) in sources.items()},
        "learning_rate": {"peak": 1e-3, "warmup_steps": 0, "shape": "linear", "final_ratio": 0.0},
        "optimizer_state": "carry",
    }


def open_plan(config: Config) -> SampleReader:
    """Write the plan of `config` as `snowcoder plan` does, and open it."""
    plan.run(config)
    folder = Path(config.plan.dir)
    return SampleReader(load_plan(folder), folder, Path(config.index.dir))
