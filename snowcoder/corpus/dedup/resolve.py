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
from snowcoder.corpus.dedup.shingles import jaccard, shingles, tokens
from snowcoder.corpus.shuffled_shard import read_partition, write_partitioned
from snowcoder.stages.steps import Step, Task

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

    def __init__(self, folder: Path, members: Path, near: NearConfig) -> None:
        super().__init__(folder)
        self.members, self.near = members, near

    def make(self, task: Task, folder: Path) -> dict[str, Any]:
        (members,) = read_partition([self.members], task.data["shard"])
        ids, found = members["id"].to_numpy(), []
        for group in _row_groups(Path(task.data["documents"])):
            wanted = np.isin(group["id"].to_numpy(), ids)
            texts = group["content"].filter(wanted).to_pylist()
            hashes = [shingles(tokens(text), self.near.ngram) for text in texts]
            found.append(
                pa.table([group["id"].filter(wanted), pa.array(hashes, _SHINGLES.field(1).type)], schema=_SHINGLES)
            )
        table = pa.concat_tables(found).combine_chunks()
        write_partitioned(folder / f"{task.name}.parquet", table, members["partition"].to_numpy())
        return {}


def _row_groups(path: Path) -> Any:
    file = pq.ParquetFile(path, memory_map=True)
    return (file.read_row_group(number, columns=["id", "content"]) for number in range(file.num_row_groups))


class Resolve(Step):
    """The copies among a partition's candidates."""

    def __init__(self, folder: Path, pairs: Path, sent: list[Path], near: NearConfig) -> None:
        super().__init__(folder)
        self.pairs, self.sent, self.near = pairs, sent, near

    def make(self, task: Task, folder: Path) -> dict[str, Any]:
        number = task.data["partition"]
        sets: dict[int, np.ndarray] = {}
        for table in read_partition(self.sent, number):
            column = table["shingles"].combine_chunks()
            values, offsets = column.values.to_numpy(), column.offsets.to_numpy()
            sets |= {key: values[offsets[i] : offsets[i + 1]] for i, key in enumerate(table["id"].to_pylist())}
        (pairs,) = read_partition([self.pairs], number)
        rows = zip(*(pairs[name].to_pylist() for name in ("better", "id", "priority")), strict=True)
        alike = [Alike(jaccard(sets[better], sets[worse]), better, worse, rank) for better, worse, rank in rows]
        near = [pair for pair in alike if pair.similarity >= self.near.threshold]
        copies = sorted((pair.worse, pair.better, pair.similarity) for pair in find_copies(near))
        columns = [pa.array(values, kind.type) for values, kind in zip(zip(*copies, strict=True), COPIES, strict=False)]
        pq.write_table(pa.table(columns, COPIES) if copies else COPIES.empty_table(), folder / f"{task.name}.parquet")
        return {"pairs": len(alike), "verified": len(near), "copies": len(copies)}


class Alike(NamedTuple):
    similarity: float
    better: int
    worse: int
    priority: int  # of the worse


def find_copies(pairs: list[Alike]) -> list[Alike]:
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
