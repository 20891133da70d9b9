"""Files after those that they import: algorithm 1 of the paper on DeepSeek-Coder (arXiv 2401.14196, section 2.2).

The imports are edges from a file to those that need it. Each connected subgraph is ordered by itself: next comes a
file of which the fewest imports are still missing. It need not be zero, so cycles do no harm.
"""

from __future__ import annotations

import heapq

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from snowcoder.corpus.document import Document
from snowcoder.corpus.grouping.resolve import dependencies_of
from snowcoder.corpus.grouping.shuffle import shuffled


def order_by_dependency(files: list[Document], seed: int) -> list[Document]:
    """One subgraph after the other. Where imports leave a choice, or none can be read, the order is random."""
    return [document for subgraph in ordered_subgraphs(files, seed) for document in subgraph]


def ordered_subgraphs(files: list[Document], seed: int) -> list[list[Document]]:
    """Files that imports join, directly or not, in their order."""
    files = shuffled(files, seed)
    dependencies = dependencies_of(files)
    return [[files[number] for number in _sort(subgraph, dependencies)] for subgraph in _subgraphs(dependencies)]


def _subgraphs(dependencies: list[set[int]]) -> list[list[int]]:
    edges = [(number, other) for number, others in enumerate(dependencies) for other in others]
    starts, ends = np.array(edges, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges), bool), (starts, ends)), shape=(len(dependencies),) * 2)
    count, labels = connected_components(graph, directed=False)
    subgraphs: list[list[int]] = [[] for _ in range(count)]
    for number, label in enumerate(labels.tolist()):
        subgraphs[label].append(number)
    return sorted(subgraphs)


def _sort(subgraph: list[int], dependencies: list[set[int]]) -> list[int]:
    """Of equals the first in `subgraph` comes first. A heap spares algorithm 1 its search for the minimum."""
    missing = {number: len(dependencies[number]) for number in subgraph}
    dependents: dict[int, list[int]] = {number: [] for number in subgraph}
    for number in subgraph:
        for other in dependencies[number]:
            dependents[other].append(number)
    heap = [(count, number) for number, count in missing.items()]
    heapq.heapify(heap)
    order: dict[int, None] = {}
    while heap:
        _, number = heapq.heappop(heap)
        if number in order:  # an entry from when it missed more
            continue
        order[number] = None
        for dependent in dependents[number]:
            missing[dependent] -= 1
            heapq.heappush(heap, (missing[dependent], dependent))
    return list(order)
