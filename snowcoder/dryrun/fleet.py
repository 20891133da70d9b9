"""Dry runs of many ranks and layouts, in processes of their own: what they patch never reaches this one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from snowcoder.config.schema import Config
from snowcoder.dryrun.report import RankReport
from snowcoder.errors import OperationError, UserError
from snowcoder.packages import require


class RankJob(NamedTuple):
    config: Config
    rank: int


class DryAnswer(NamedTuple):
    """Either what was found, or why the first real step would fail."""

    report: RankReport | None
    problem: str = ""


def dry_runs(jobs: Iterable[RankJob]) -> Iterator[DryAnswer]:
    """The answer to each job, in order, as they come. Raises `OperationError` if a process is lost."""
    lines = [json.dumps({"config": job.config.model_dump(mode="json"), "rank": job.rank}) for job in jobs]
    command = [sys.executable, "-m", "snowcoder.dryrun.worker"]
    without_gpus = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}  # the same on a login node, a laptop and a GPU's node
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, env=without_gpus, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as worker,
    ):
        try:
            yield from map(_read, _talk(worker, lines))
        except GeneratorExit:  # nobody wants the rest
            worker.terminate()
            raise
        if worker.wait():
            errors.seek(0)
            raise OperationError(f"the dry run ended with {worker.returncode}: {errors.read().strip()[-2000:]}")


def _talk(worker: subprocess.Popen[str], lines: list[str]) -> Iterator[str]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    with contextlib.suppress(BrokenPipeError), worker.stdin:  # it ended: why, its exit status tells
        worker.stdin.write("\n".join(lines))
    yield from worker.stdout


def _read(line: str) -> DryAnswer:
    answer = json.loads(line)
    if "lost" in answer:
        raise OperationError(answer["lost"])
    report = answer.get("report")
    return DryAnswer(RankReport.model_validate(report) if report else None, answer.get("problem", ""))


def refuse(config: Config) -> None:
    """Raise `UserError` for what the stand-ins do not stand for; `ModuleNotFoundError` without what a rank imports."""
    require("torch", "megatron")
    if config.precision.fp8 != "none":
        raise UserError(
            f"precision.fp8={config.precision.fp8}: what Transformer Engine keeps in fp8 has no stand-in; "
            "`precision=bf16` tells of the same layout in bf16"
        )
    if config.device.kernels == "torch" and config.parallel.context > 1:
        raise UserError(
            f"parallel.context={config.parallel.context}: on CPUs there is no context parallelism; device=h100 has it"
        )


def rank_of_stage(config: Config, stage: int) -> int:
    """The first rank of a pipeline stage: in megatron-core's order, data ranks change before pipeline stages."""
    return stage * config.parallel.world_size // config.parallel.pipeline
