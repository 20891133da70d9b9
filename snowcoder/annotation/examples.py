"""What an annotator learns from: one section each of files with a label, drawn once and kept beside it."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from snowcoder.annotation.draw_examples import Drawn, draw_files
from snowcoder.annotation.sections import sections
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.storage.atomic import atomic_path
from snowcoder.storage.columns import ColumnNeed

EXAMPLES = "examples.parquet"
NEGATIVES = "negatives"
_SCHEMA = pa.schema(
    {
        "source": pa.string(),
        "repository": pa.string(),
        "path": pa.string(),
        "language": pa.string(),
        "digest": pa.binary(16),  # of the whole file
        "label": pa.float32(),
        "held_out": pa.bool_(),
        "text": pa.string(),  # the section
    }
)
_META = b"snowcoder"
_NEEDS = [
    ColumnNeed(("licence",), "annotator.head=regression learns from labels", key="annotator.label")
]  # see draw_examples.py
_LEAST = 4  # examples of a class, and held out of all, below which nothing can be said


class Examples(NamedTuple):
    table: pa.Table
    dropped: dict[str, int]

    @property
    def texts(self) -> list[str]:
        found: list[str] = self.table["text"].to_pylist()
        return found

    @property
    def labels(self) -> np.ndarray:
        """float32 [examples]: 0 or 1, or 0 to 5."""
        return np.asarray(self.table["label"])

    @property
    def held_out(self) -> np.ndarray:
        """bool [examples]."""
        return np.asarray(self.table["held_out"])

    @property
    def counts(self) -> dict[str, int]:
        """Files by source."""
        return dict(Counter(self.table["source"].to_pylist()))


def find_examples(path: Path, made_from: str) -> Examples | None:
    """Those that a killed training has left."""
    if not path.is_file():
        return None
    meta = json.loads((pq.read_schema(path).metadata or {}).get(_META, b"{}"))
    return Examples(pq.read_table(path), meta["dropped"]) if meta.get("made_from") == made_from else None


def draw_examples(config: Config) -> Examples:
    """Raises UserError where they are too few to learn from."""
    examples = _draw(config)
    _check(examples, config.annotator.head)
    return examples


def write_examples(examples: Examples, path: Path, made_from: str) -> None:
    meta = json.dumps({"made_from": made_from, "dropped": examples.dropped}).encode()
    with atomic_path(path) as partial:
        pq.write_table(examples.table.replace_schema_metadata({_META: meta}), partial, compression="zstd")


def _draw(config: Config) -> Examples:
    """A corpus has good files, too: one that is a positive is no negative."""
    dropped, rows = Counter[str](), []
    positives: set[bytes] = set()
    for name, source in config.annotator.positives.items():
        found = draw_files(config, source, name, needs=_NEEDS if config.annotator.head == "regression" else ())
        files = [each for each in found.result() if each.digest not in positives]
        if not files:
            least = "" if source.at_least is None else f" with a score of {source.at_least} or more in {source.scores}"
            raise UserError(
                f"annotator.positives.{name}: {source.shards} has no file{least} that could be learned from"
            )
        positives |= {each.digest for each in files}
        dropped += found.dropped
        rows += [row for each in files if (row := _row(config, name, each, dropped))]
    if config.annotator.negatives:
        found = draw_files(config, config.annotator.negatives, NEGATIVES, positives)
        dropped += found.dropped
        rows += [row for each in found.result() if (row := _row(config, NEGATIVES, each, dropped))]
    table = pa.Table.from_pylist(rows, _SCHEMA)
    held_out = _held_out(config, np.asarray(table["label"]), table["digest"].to_pylist())
    return Examples(table.set_column(6, _SCHEMA.field("held_out"), pa.array(held_out)), dict(dropped))


def _row(config: Config, source: str, drawn: Drawn, dropped: Counter[str]) -> dict[str, Any] | None:
    label = float(source != NEGATIVES) if config.annotator.head == "classification" else _value(drawn.label)
    if label is None:
        dropped["no label of 0 to 5"] += 1
        return None
    parts = sections(drawn.file.content, config.annotator.sections.characters)
    return {
        "source": source,
        "repository": drawn.file.repository,
        "path": drawn.file.path,
        "language": drawn.file.language,
        "digest": drawn.digest,
        "label": label,
        "text": parts[_hash(config, "section", drawn.digest) % len(parts)],
    }


def _value(label: str | None) -> float | None:
    try:
        value = float(label or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= 5 else None


def _held_out(config: Config, labels: np.ndarray, digests: list[bytes]) -> np.ndarray:
    """The same share of every label, rounded."""
    order = np.argsort([_hash(config, "held out", digest) for digest in digests], kind="stable")
    taken = np.zeros(len(labels), bool)
    for label in np.unique(np.rint(labels)):
        own = order[np.rint(labels)[order] == label]
        taken[own[: round(config.annotator.train.held_out * len(own))]] = True
    return taken


def _hash(config: Config, purpose: str, digest: bytes) -> int:
    return xxhash.xxh3_64_intdigest(f"{config.run.seed}/{purpose}/".encode() + digest)


def _check(examples: Examples, head: str) -> None:
    labels, held_out = examples.labels, examples.held_out
    enough = min(held_out.sum(), (~held_out).sum()) >= _LEAST
    if head == "classification":
        enough &= all(((labels == label) & held_out).sum() >= _LEAST for label in (0, 1))
    if not enough:
        found = ", ".join(f"{name} {count:,}" for name, count in examples.counts.items()) or "none"
        dropped = ", ".join(f"{name} {count:,}" for name, count in examples.dropped.items() if count) or "none"
        raise UserError(
            f"too few examples to train an annotator: {found}, of which {held_out.sum()} are held out; at least "
            f"{_LEAST} of each class must be. Dropped: {dropped}. Give more in annotator.positives and "
            "annotator.negatives, or raise annotator.train.held_out"
        )


def learned_from(folder: Path) -> set[bytes]:
    """Digests of the files that an annotator's folder was trained with or measured on."""
    return set(pq.read_table(folder / EXAMPLES, columns=["digest"])["digest"].to_pylist())
