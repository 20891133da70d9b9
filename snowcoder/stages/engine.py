"""The engine under the corpus stage: Daft, in this process or on the Ray cluster that a Slurm job started.

Two things are asked of it: run a function over items in worker processes, and join and group tables of ids.
Contents of files never go through its tables: an item reads and writes them itself, shard by shard.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Read when it is imported, here and in workers: nothing is sent to its makers, nothing is drawn over our output.
os.environ.setdefault("DAFT_ANALYTICS_ENABLED", "0")
os.environ.setdefault("DAFT_PROGRESS_BAR", "0")

import daft

from snowcoder.config.corpus_schema import EngineConfig
from snowcoder.errors import OperationError, SnowcoderError, UserError

JsonObject = dict[str, Any]  # as JSON has it
_START_SECONDS = 300  # for all nodes of a cluster to come


def start_engine(config: EngineConfig) -> None:
    """Choose where work is done. Raises `UserError` where there is no Ray cluster, or not all of it comes."""
    if config.kind == "local":
        os.environ["DAFT_RUNNER"] = "native"  # read at its first use; it cannot be set twice in a process
        return
    import ray

    try:
        ray.init(address=config.address, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(
            f"corpus.engine.kind=ray: no cluster at {config.address} ({error}); slurm/corpus.sh starts one"
        ) from None
    _wait_for_nodes(config.nodes)
    daft.set_runner_ray()


def _wait_for_nodes(wanted: int) -> None:
    import ray

    deadline = time.monotonic() + _START_SECONDS
    while (alive := sum(node["Alive"] for node in ray.nodes())) < wanted:
        if time.monotonic() > deadline:
            raise OperationError(f"of the {wanted} nodes of the Ray cluster (corpus.engine.nodes) {alive} came")
        time.sleep(0.5)


def run_items(
    function: Callable[[JsonObject], JsonObject], items: list[JsonObject], config: EngineConfig, threads: bool = False
) -> Iterator[JsonObject]:
    """What `function` returns for each item, in any order. Raises what it raises, and that a worker died.

    `threads`: where the engine is local, in this process, for it takes half a second to start workers and end them.
    """
    workers = min(config.workers or _cores(config), len(items))
    if config.kind == "local" and (threads or workers == 1):
        with ThreadPoolExecutor(workers) as pool:
            yield from pool.map(function, items)
        return
    worker = daft.cls(_Worker, use_process=True, max_concurrency=workers)(function)
    frame = daft.from_pydict({"item": [json.dumps(item) for item in items]}).into_batches(1)
    try:
        for row in frame.select(worker(daft.col("item")).alias("outcome")).iter_rows(results_buffer_size=None):
            yield _result(json.loads(row["outcome"]))
    except RuntimeError as error:  # by the engine: what the function itself raises comes as an outcome
        raise OperationError(f"a worker process of the corpus stage failed: {error}") from error


def _cores(config: EngineConfig) -> int:
    if config.kind == "local":
        return len(os.sched_getaffinity(0))
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


class _Worker:
    def __init__(self, function: Callable[[JsonObject], JsonObject]) -> None:
        self.function = function

    def __call__(self, item: str) -> str:
        try:
            return json.dumps({"result": self.function(json.loads(item))})
        except SnowcoderError as error:
            return json.dumps({"error": str(error), "user": isinstance(error, UserError)})


def _result(outcome: dict[str, Any]) -> JsonObject:
    if "error" not in outcome:
        found: JsonObject = outcome["result"]
        return found
    raise (UserError if outcome["user"] else OperationError)(outcome["error"])
