"""How large the sources of a plan are: as their indexes say, else as the config does."""

from __future__ import annotations

from pathlib import Path

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.lineage.manifest import find_manifest
from snowcoder.mixture.phase_plan import SourceSize


def source_sizes(config: Config) -> dict[str, SourceSize]:
    """Size of each source that a phase uses: from its index, else as `planned_tokens` says."""
    sizes: dict[str, SourceSize] = {}
    unknown = []
    for name in dict.fromkeys(name for phase in config.phases.values() for name in phase.sources):
        manifest = find_manifest(Path(config.index.dir) / name)
        planned = config.index.sources[name].planned_tokens
        if manifest is not None and manifest.counts["train"]["tokens"] == 0:
            unknown.append(f"  {name}: its index has no tokens to train on")
        elif manifest is not None:
            counts = manifest.counts["train"]
            reserved = config.fim.reserved * counts.get("files", counts["documents"])
            sizes[name] = SourceSize(counts["tokens"] + reserved, manifest.digest)
        elif planned is not None:
            sizes[name] = SourceSize(int(planned), "")
        else:
            unknown.append(
                f"  {name}: run {config.index.sources[name].indexed_by}, or set index.sources.{name}.planned_tokens"
            )
    if unknown:
        raise UserError("the size of these sources is not known:\n" + "\n".join(unknown))
    return sizes
