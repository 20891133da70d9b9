"""Candidate pairs to partitions, each of which is compared by itself.

Not beside the comparison: only the launching process needs scipy, which takes a worker a while to import.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from snowcoder.corpus.dedup.candidates import EDGES
from snowcoder.corpus.dedup.resolve import MEMBERS
from snowcoder.corpus.shuffled_shard import write_partitioned
from snowcoder.stages.tables import Table


def assign(pairs: Table, partitions: int, by_partition: Path, by_shard: Path) -> tuple[list[int], list[int]]:
    """Send all pairs that hang together to one partition, and each of their files there.

    Returns the numbers of the shards and of the partitions that have some. Holds the pairs' ids in memory.
    """
    table = pairs.read(EDGES)
    edges = np.stack([table["better"].to_numpy(), table["id"].to_numpy()])
    ids, ends = np.unique(edges, return_inverse=True)
    better, worse = ends.reshape(2, -1)
    graph = coo_array((np.ones(len(better), np.int8), (better, worse)), shape=(len(ids), len(ids)))
    component = connected_components(graph, directed=False)[1]
    partition = component % partitions
    write_partitioned(by_partition, table, partition[better])
    shard = (ids >> np.uint64(32)).astype(np.int64)
    write_partitioned(by_shard, pa.table([ids, partition.astype(np.int64)], MEMBERS), shard)
    return np.unique(shard).tolist(), np.unique(partition).tolist()
