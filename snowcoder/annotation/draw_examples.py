"""Files drawn from shards: which ones, their contents and a seed decide, not the order of reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import xxhash

from snowcoder.annotation.code_files import CodeFile, files_of_batch
from snowcoder.annotation.scores import SUFFIX
from snowcoder.config.annotation_schema import ExamplesConfig
from snowcoder.config.schema import Config
from snowcoder.corpus.decontamination import Matcher
from snowcoder.errors import UserError
from snowcoder.lineage.vouched_shards import Shard, find_promised_shards
from snowcoder.storage.columns import ColumnNeed
from snowcoder.storage.objects import Store
from snowcoder.storage.shards import read_shard
from snowcoder.storage.store import open_store

# So many files are looked at for one that is drawn, in shards that a hash chooses: nobody reads 400B tokens for 300k.
_LOOKED_AT = 8


class Drawn(NamedTuple):
    file: CodeFile
    digest: bytes  # xxh3-128 of the content
    label: str | None  # of the column annotator.label, where the shards have it


class DrawnFiles:
    """The `count` files that come first by a hash of their content; one of several with the same content."""

    def __init__(self, count: int, seed: str, matcher: Matcher) -> None:
        self.count, self.seed, self.matcher = count, seed, matcher
        self.seen, self.dropped = 0, Counter[str]()
        self._found: dict[bytes, tuple[int, Drawn]] = {}
        self._last: int | None = None  # the hash of the last one that is among the first

    def offer(self, rows: list[tuple[CodeFile, str | None]]) -> None:
        self.seen += len(rows)
        drawn = (Drawn(file, digest_of(file), label) for file, label in rows)
        hashed = [(self._hash(each.digest), each) for each in drawn]
        fresh = [each for each in hashed if self._last is None or each[0] < self._last]
        hits = self.matcher.find_all([each.file.content for _, each in fresh])
        self.dropped["in a benchmark"] += sum(map(bool, hits))
        clean = [each for each, found in zip(fresh, hits, strict=True) if not found]
        self._found |= {each.digest: (order, each) for order, each in clean}
        if len(self._found) > 2 * self.count:
            self._cut()

    def result(self) -> list[Drawn]:
        """In the order of their hashes."""
        self._cut()
        return [drawn for _, drawn in self._found.values()]

    def _cut(self) -> None:
        first = sorted(self._found.values(), key=lambda each: (each[0], each[1].digest))[: self.count]
        self._found = {drawn.digest: (order, drawn) for order, drawn in first}
        if len(first) == self.count:
            self._last = first[-1][0]

    def _hash(self, digest: bytes) -> int:
        return xxhash.xxh3_64_intdigest(self.seed.encode() + digest)


def draw_files(
    config: Config,
    examples: ExamplesConfig,
    name: str,
    unwanted: Set[bytes] = frozenset(),
    needs: Sequence[ColumnNeed] = (),
) -> DrawnFiles:
    """`examples.files` files of these shards, none of them in a benchmark or with one of the `unwanted` digests.

    Raises UserError where there are no shards, or none of the scores that are asked for, or of the `needs` in a shard.
    """
    draw = DrawnFiles(examples.files, f"{config.run.seed}/{name}/", Matcher.build(config.decontamination))
    for rows in _batches(config, examples, name, needs):
        draw.offer([row for row in rows if digest_of(row[0]) not in unwanted] if unwanted else rows)
        if draw.seen >= _LOOKED_AT * examples.files:
            break
    return draw


def _batches(
    config: Config, examples: ExamplesConfig, name: str, needs: Sequence[ColumnNeed]
) -> Iterator[list[tuple[CodeFile, str | None]]]:
    store = open_store(examples.shards, config.storage)
    shards = list(enumerate(find_promised_shards(store)))
    for number, shard in sorted(shards, key=lambda each: _order(config.run.seed, name, each[1].info.key)):
        scores = _scores(examples, number)
        first = 0
        for rows in _read(config, store, shard, needs):
            good = scores is None or scores[first : first + len(rows)] >= examples.at_least
            first += len(rows)
            yield rows if good is True else [row for row, taken in zip(rows, good, strict=True) if taken]
        if scores is not None and first != len(scores):
            raise UserError(
                f"{examples.scores} has scores of other shards than {store.url}: run `snowcoder annotate score`"
            )


def _read(
    config: Config, store: Store, shard: Shard, needs: Sequence[ColumnNeed]
) -> Iterator[list[tuple[CodeFile, str | None]]]:
    """A batch's files, each with the label of its document."""
    # What `read_shard` reads as the licence is a text beside the others, and labelled shards need no licence.
    columns = config.index.columns.model_copy(update={"licence": config.annotator.label})
    limit = int(config.index.max_document_mib * 2**20)
    with store.local(shard.info) as local:
        for batch in read_shard(local.path, shard.info.key, columns, limit, needs):
            pairs = zip(files_of_batch(batch), batch.licences, strict=True)
            yield [(file, label) for row, label in pairs for file in row.files]


def _scores(examples: ExamplesConfig, number: int) -> Any:
    """Of a shard's files in their order, or None where all are taken."""
    if examples.scores is None:
        return None
    path = Path(examples.scores) / f"shard-{number:05d}{SUFFIX}"
    if not path.is_file():
        raise UserError(f"{path} is not there: run `snowcoder annotate score` with the annotator of these scores first")
    return np.asarray(pq.read_table(path, columns=["score"])["score"])


def _order(seed: int, name: str, key: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{seed}/{name}/{key}".encode())


def digest_of(file: CodeFile) -> bytes:
    return xxhash.xxh3_128_digest(file.content.encode())
