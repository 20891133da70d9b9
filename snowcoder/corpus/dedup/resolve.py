"""Which of the files that may be near copies are: shingles to where they are compared, then the comparison.

A file is a copy only if it shares enough shingles with a file that is kept. So a chain of files, each like the
next, does not vanish into one of them (StarCoder's scripts take all that hangs together for copies).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snowcoder.config.corpus_schema import NearConfig
from snowcoder.corpus.dedup.candidates import EDGES
from snowcoder.corpus.dedup.shingles import jaccard, shingles, tokens
from snowcoder.corpus.document import DOCUMENT_SCHEMA, DOCUMENTS
from snowcoder.corpus.shuffled_shard import read_partition, write_partitioned
from snowcoder.errors import OperationError
from snowcoder.lineage.rows import RowCounts, start_again
from snowcoder.stages.steps import Record, Step, WorkItem
from snowcoder.stages.tables import Table, count_rows
from snowcoder.storage.digest import digest_json

MEMBERS = pa.schema({"id": pa.uint64(), "partition": pa.int64()})  # of pairs, by shard
_SHINGLES = pa.schema({"id": pa.uint64(), "shingles": pa.large_list(pa.uint64())})
COPIES = pa.schema(
    {
        "id": pa.uint64(),
        "better": pa.uint64(),  # the one that is kept
        "similarity": pa.float32(),  # null: of the same content
    }
)


class Shingle(Step):
    """Shingles of a shard's candidates, each sent to the partition of its pairs."""

    threads = True

    def __init__(self, folder: Path, members: Table, near: NearConfig) -> None:
        super().__init__(folder)
        self.members, self.near = members, near

    def work_items(self, given: Path, records: list[Record], candidates: Record) -> list[WorkItem]:
        """For the shards that have candidates, of all records; their documents lie in `given`."""
        items = []
        for number in candidates.counts["shards"]:
            record = records[number]
            (documents,) = record.tables_in(given, DOCUMENTS)
            data = {"shard": number, "documents": str(documents.path), "rows": documents.rows}
            items.append(self.work_item(record.name, [candidates.digest, record.digest], data, record.bytes))
        return items

    def decided_by(self) -> dict[str, Any]:
        return {"ngram": self.near.ngram}

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        (members,) = read_partition([self.members], MEMBERS, item.data["shard"])
        documents, found = Table(Path(item.data["documents"]), item.data["rows"]), []
        ids = members["id"].to_numpy()
        for group in documents.row_groups(DOCUMENT_SCHEMA, ["id", "content"]):
            wanted = np.isin(group["id"].to_numpy(), ids)
            texts = group["content"].filter(wanted).to_pylist()
            hashes = [shingles(tokens(text), self.near.ngram) for text in texts]
            found.append(
                pa.table([group["id"].filter(wanted), pa.array(hashes, _SHINGLES.field(1).type)], schema=_SHINGLES)
            )
        table = pa.concat_tables(found).combine_chunks()
        if not np.array_equal(table["id"].to_numpy(), ids):
            raise OperationError(
                f"{documents.path} lacks documents that {self.members.path} names; {start_again(documents.path)}"
            )
        path = folder / f"{item.name}.parquet"
        write_partitioned(path, table, members["partition"].to_numpy())
        return RowCounts(len(members), count_rows(path)), {}


class Resolve(Step):
    """The copies among a partition's candidates."""

    def __init__(self, folder: Path, pairs: Table, sent: list[Table], near: NearConfig) -> None:
        super().__init__(folder)
        self.pairs, self.sent, self.near = pairs, sent, near

    def work_items(self, candidates: Record, sent: list[Record]) -> list[WorkItem]:
        made_from = digest_json([candidates.digest, *(record.digest for record in sent)])
        return [self.work_item(f"part-{n:05d}", made_from, {"partition": n}) for n in candidates.counts["partitions"]]

    def decided_by(self) -> dict[str, Any]:
        return {"threshold": self.near.threshold}

    def make(self, item: WorkItem, folder: Path) -> tuple[RowCounts, dict[str, Any]]:
        number = item.data["partition"]
        sets: dict[int, np.ndarray] = {}
        for table in read_partition(self.sent, _SHINGLES, number):
            column = table["shingles"].combine_chunks()
            values, offsets = column.values.to_numpy(), column.offsets.to_numpy()
            sets |= {key: values[offsets[i] : offsets[i + 1]] for i, key in enumerate(table["id"].to_pylist())}
        (pairs,) = read_partition([self.pairs], EDGES, number)
        rows = zip(*(pairs[name].to_pylist() for name in ("better", "id", "priority")), strict=True)
        alike = [Alike(jaccard(sets[better], sets[worse]), better, worse, rank) for better, worse, rank in rows]
        near = [pair for pair in alike if pair.similarity >= self.near.threshold]
        copies = sorted((pair.worse, pair.better, pair.similarity) for pair in choose_copies(near))
        columns = [pa.array(values, kind.type) for values, kind in zip(zip(*copies, strict=True), COPIES, strict=False)]
        pq.write_table(pa.table(columns, COPIES) if copies else COPIES.empty_table(), folder / f"{item.name}.parquet")
        return RowCounts(len(pairs), len(alike)), {"pairs": len(alike), "verified": len(near), "copies": len(copies)}


class Alike(NamedTuple):
    similarity: float
    better: int
    worse: int
    priority: int  # of the worse


def choose_copies(pairs: list[Alike]) -> list[Alike]:
    """For each file that is a copy of a kept one, the kept one that it is most alike.

    From the best file on, one is kept unless it is alike to a better one that is.
    """
    above: dict[tuple[int, int], list[Alike]] = {}
    for pair in pairs:
        above.setdefault((pair.priority, pair.worse), []).append(pair)
    copies: dict[int, Alike] = {}
    for (_, number), found in sorted(above.items()):
        kept = [pair for pair in found if pair.better not in copies]
        if kept:
            copies[number] = max(kept)
    return list(copies.values())
