"""`snowcoder plan dry [RANK] [json]`: the first step of the true layout without its GPUs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.dryrun.bubble import bubble_share
from snowcoder.dryrun.fleet import RankJob, dry_runs, rank_of_stage, refuse
from snowcoder.dryrun.report import RankReport
from snowcoder.dryrun.said import SAID
from snowcoder.errors import UserError
from snowcoder.planning.memory import memory_of_rank

_SHOWN = 0.002  # of the peak: what holds less is put together


def run(config: Config, *words: str) -> None:
    """One rank of each pipeline stage, or the given one. Raises `UserError` if the first real step would fail."""
    ranks, form = _read(config, words)
    refuse(config)
    answers = list(dry_runs(RankJob(config, rank) for rank in ranks))
    problems = [f"rank {rank}: {answer.problem}" for rank, answer in zip(ranks, answers, strict=True) if answer.problem]
    if problems:
        raise UserError("the first step would fail:\n  " + "\n  ".join(problems))
    reports = [answer.report for answer in answers if answer.report]
    print(
        json.dumps(reports_as_json(config, reports), indent=1)
        if form == "json"
        else "\n".join(describe_reports(config, reports))
    )


def _read(config: Config, words: tuple[str, ...]) -> tuple[list[int], str]:
    size = config.parallel.world_size
    numbers = [word for word in words if word != "json"]
    if len(numbers) > 1 or not all(word.isdecimal() and int(word) < size for word in numbers):
        raise UserError(f"usage: snowcoder plan dry [RANK] [json]; a rank is one of 0 to {size - 1}")
    stages = range(config.parallel.pipeline)
    ranks = [int(word) for word in numbers] or [rank_of_stage(config, stage) for stage in stages]
    return ranks, "json" if "json" in words else "text"


def reports_as_json(config: Config, reports: list[RankReport]) -> dict[str, Any]:
    """All that was found, as one object; bytes, FLOPs, shares."""
    return {
        "ranks": config.parallel.world_size,
        "kernels": config.device.kernels,
        "stands_in": SAID[config.device.kernels],
        "memory_bytes": config.device.memory_gib * 2**30,
        "estimate_bytes": memory_of_rank(config).total,
        "reports": [_rank(config, report) for report in reports],
    }


def _rank(config: Config, report: RankReport) -> dict[str, Any]:
    share = bubble_share(config.parallel, report.micro_batches)
    return {**report.model_dump(mode="json"), "peak_bytes": report.peak, "bubble_share": share}


def describe_reports(config: Config, reports: list[RankReport]) -> Iterator[str]:
    yield f"dry run of one step on {config.parallel.world_size:,} rank(s), without any of them"
    yield f"  kernels: {SAID[config.device.kernels]}"
    for report in reports:
        yield from _describe(config, report)
    fullest = max(reports, key=lambda report: report.peak)
    yield ""
    yield from _verdict(config, fullest)


def _describe(config: Config, report: RankReport) -> Iterator[str]:
    parallel = config.parallel
    yield ""
    yield f"rank {report.rank}, pipeline stage {report.stage} of {parallel.pipeline}: {report.parameters:,} parameters"
    yield f"  {_steps(report)}; the pipeline waits {bubble_share(parallel, report.micro_batches):.1%} of the step"
    yield (
        f"  FLOPs a step: {report.matmul_flops / 1e12:.4g} T in matrix products, {report.attention_flops / 1e12:.4g} T "
        "in attention's full square, of which the causal half is needed"
    )
    yield f"  memory at its peak, in {report.peak_in}: {readable.size(report.peak)}"
    kinds = report.by_kind()
    for kind, size in kinds.items():
        if size >= _SHOWN * report.peak:
            yield f"    {readable.size(size):>9}  {kind}"
            yield from _modules(report, kind)
    rest = sum(size for size in kinds.values() if size < _SHOWN * report.peak)
    yield f"    {readable.size(rest):>9}  all else"
    yield from _traffic(report)


def _steps(report: RankReport) -> str:
    count = f"{report.micro_batches:,} micro batch(es) a step"
    if report.measured == [report.micro_batches]:
        return count
    return f"{count}, extrapolated from steps of {' and '.join(map(str, report.measured))}"


def _modules(report: RankReport, kind: str) -> Iterator[str]:
    parts = {name.partition(": ")[2]: size for name, size in report.held.items() if name.startswith(f"{kind}: ")}
    for name, size in sorted(parts.items(), key=lambda item: -item[1]):
        if size >= _SHOWN * report.peak:
            yield f"      {readable.size(size):>9}  {name}"


def _traffic(report: RankReport) -> Iterator[str]:
    shown = [one for one in report.traffic if one.ranks[0] > 1]
    yield f"  collectives a step: {'' if shown else 'none'}"
    for one in shown:
        who = f"{one.kind:<15}{one.group:<10}{one.ranks[0]:>5} ranks"
        yield f"    {who} {one.calls:>8,.0f} calls {readable.size(one.bytes):>10}"


def _verdict(config: Config, report: RankReport) -> Iterator[str]:
    estimate = memory_of_rank(config)
    yield (
        f"`snowcoder plan` estimates {readable.size(estimate.total)} from the config alone; "
        f"the dry run has {report.peak / estimate.total - 1:+.1%}"
    )
    room = config.device.memory_gib * 2**30
    fits = "fits" if report.peak <= room else "does not fit"
    yield f"{readable.size(report.peak)} {fits} in device.memory_gib={config.device.memory_gib:g}"
