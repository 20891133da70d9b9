"""A process that imports torch and megatron-core once, and forks for each rank that is asked for.

`python -m snowcoder.dryrun.worker`: jobs on stdin, a line of JSON each; on stdout a line for each answer, in order.
What a rank patches dies with its fork.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import traceback
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

_FORKING = threading.Lock()  # one at a time: filelock, which torch imports, refuses a fork within another's


def main() -> None:
    from snowcoder.model import platform

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    platform.install()
    import torch

    import snowcoder.dryrun.rank_step  # noqa: F401  # once, for all forks

    torch.set_num_threads(1)
    jobs = [json.loads(line) for line in sys.stdin]
    cores = len(os.sched_getaffinity(0))
    with ThreadPool(min(cores, len(jobs))) as threads:
        for answer in threads.imap(_in_a_fork, jobs):
            print(json.dumps(answer), file=answers, flush=True)


def _in_a_fork(job: dict[str, Any]) -> dict[str, Any]:
    forks = multiprocessing.get_context("fork")
    ours, theirs = forks.Pipe(duplex=False)
    fork = forks.Process(target=lambda: theirs.send(_answer(job)))
    with _FORKING:
        fork.start()
    theirs.close()
    try:
        answer: dict[str, Any] = ours.recv()
    except EOFError:  # a pool of multiprocessing would wait for it for ever
        fork.join()
        answer = {"lost": f"the process of rank {job['rank']} ended with {fork.exitcode}; is memory short?"}
    return answer


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    from snowcoder.config.schema import Config
    from snowcoder.dryrun.rank_step import fake_step

    sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # megatron-core's advice, once a fork
    try:
        return {"report": fake_step(Config.model_validate(job["config"]), job["rank"]).model_dump(mode="json")}
    except Exception as error:
        return {"problem": describe(error)}


def describe(error: Exception) -> str:
    """What a step raised, in which part of the model, and the last lines of code outside of torch."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/torch/" not in frame.filename]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-2:]]
    text = " ".join(str(error).split()) or frames[-1].line or ""
    notes = "".join(f" {note}" for note in getattr(error, "__notes__", []))
    return f"{type(error).__name__}{notes}: {text[:600]} ({' <- '.join(reversed(places))})"


if __name__ == "__main__":
    main()
