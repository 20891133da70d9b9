"""Disk that a run takes, estimated from its config: indexes, the plan's tables, checkpoints, the exported model.

Bytes a document and a file were measured on indexes of 44,665 files in 14 languages, each a document and grouped by
repository; checkpoints of 2.4M parameters in fp32 and bf16 were 0.8% larger than estimated. See docs/results.md.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.index.format import token_dtype
from snowcoder.lineage.manifest import find_manifest
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.model.size import count_parameters

_IDX = 20  # bytes a document: its length, its offset, its number
_SIDECAR = 37  # bytes a document in .docs.parquet, 16 of which are a digest
_SIDECAR_FILE = 7  # bytes a file besides, in a document of several
_TOKENS_A_FILE = 1_700
_COUNTED = "which are checkpoint.keep, the ends of phases and the one being written"


class DiskNeed(NamedTuple):
    """What lies in a folder, or shall lie there."""

    what: str
    folder: Path
    key: str  # of the config, to have it elsewhere
    bytes: float | None  # None: not known

    @property
    def missing(self) -> float:
        """Bytes that are not there yet."""
        there = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        return max(0.0, (self.bytes or 0) - there)


def needs(config: Config, phases: list[str]) -> list[DiskNeed]:
    """Of a run of these phases."""
    names = list(dict.fromkeys(name for phase in phases for name in config.phases[phase].sources))
    sources = {name: _find_source(config, name) for name in names}
    # The newest ones, the ends of phases, and the one that is being written.
    kept, each = config.checkpoint.keep + len(phases) + 1, checkpoint_bytes(config)
    tables = sum(_table_bytes(config, name, source) for name, source in sources.items() if source)
    checkpoints = RunFolder.of(config).checkpoints
    exported = count_parameters(config.model).total * _width(config)
    return [
        *(
            DiskNeed(f"index of {name}", Path(config.index.dir) / name, "index.dir", source.bytes if source else None)
            for name, source in sources.items()
        ),
        DiskNeed("plan", Path(config.plan.dir), "plan.dir", tables),
        DiskNeed(f"{kept} checkpoints of {readable.size(each)}, {_COUNTED}", checkpoints, "run.dir", kept * each),
        DiskNeed("exported model", Path(config.export.dir), "export.dir", exported),
    ]


def index_bytes(tokens: float, documents: float, files: float, width: int) -> float:
    """Of .bin, .idx and .docs.parquet; `width`: bytes of a token id."""
    return tokens * width + documents * (_IDX + _SIDECAR) + (files - documents) * _SIDECAR_FILE


def checkpoint_bytes(config: Config) -> int:
    """Weights, two moments and the optimizer's own fp32 weights of every parameter; padding rows included."""
    model = config.model
    padding = -model.vocab_size % model.pad_vocab_to * model.hidden * (1 if model.tied_embeddings else 2)
    return (_width(config) + 12) * (count_parameters(model).total + padding)


class _Source(NamedTuple):
    tokens: float
    documents: float
    files: float
    bytes: float  # of its index


def _find_source(config: Config, name: str) -> _Source | None:
    """As it is indexed, else as it is planned; None if neither is known."""
    manifest, planned = find_manifest(Path(config.index.dir) / name), config.index.sources[name].planned_tokens
    if manifest is not None:
        train = manifest.counts["train"]
        documents, size = train["documents"], sum(output.bytes for output in manifest.outputs)
        return _Source(train["tokens"], documents, train.get("files", documents), size)
    if planned is None:
        return None
    files = planned / _TOKENS_A_FILE  # each a document of its own: what takes most
    return _Source(planned, files, files, index_bytes(planned, files, files, _id_bytes(config)))


def _id_bytes(config: Config) -> int:
    return token_dtype(config.tokenizer.vocab_size).itemsize


def _table_bytes(config: Config, name: str, source: _Source) -> float:
    """Where the documents of each epoch begin, and with fill-in-the-middle the files of each document."""
    drawn = sum(phase.tokens * phase.sources[name].share for phase in config.phases.values() if name in phase.sources)
    epochs = math.floor(drawn / max(1, source.tokens)) + 1
    return 8 * epochs * source.documents + (8 * source.documents + 4 * source.files if config.fim.rate else 0)


def _width(config: Config) -> int:
    """Bytes of a weight."""
    return 2 if config.precision.dtype == "bf16" else 4
