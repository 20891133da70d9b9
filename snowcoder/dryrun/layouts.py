"""`snowcoder plan layouts [json]`: a table of layouts on as many ranks as `parallel` has, and the fastest that fits."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from snowcoder import readable
from snowcoder.config.rules import cross_check
from snowcoder.config.schema import Config
from snowcoder.dryrun.cost_model import StepTime, step_time
from snowcoder.dryrun.fleet import DryAnswer, RankJob, dry_runs, rank_of_stage, refuse
from snowcoder.dryrun.report import RankReport
from snowcoder.dryrun.said import SAID
from snowcoder.dryrun.step_sizes import longest
from snowcoder.errors import UserError
from snowcoder.model.size import flops_per_token
from snowcoder.progress import bar


class LayoutResult(NamedTuple):
    """A layout: of its stages, the most memory and the slowest step."""

    config: Config
    peak: float
    time: StepTime | None
    problem: str = ""

    @property
    def fits(self) -> bool:
        return not self.problem and self.peak <= self.config.device.memory_gib * 2**30

    @property
    def seconds(self) -> float:
        return self.time.total if self.time else float("inf")


def run(config: Config, form: str = "text") -> None:
    if form not in ("text", "json"):
        raise UserError(f"usage: snowcoder plan layouts [json]; {form!r} is no form of it")
    refuse(config)
    rows = sorted(compare_layouts(candidates(config)), key=lambda row: (not row.fits, row.seconds))
    print(
        json.dumps([result_as_json(row) for row in rows], indent=1)
        if form == "json"
        else "\n".join(describe_table(config, rows))
    )


def candidates(config: Config) -> list[Config]:
    """The combinations of `plan.layouts` that the rules allow. Raises `UserError` if there are none."""
    wanted, size = config.plan.layouts, config.parallel.world_size
    grid = itertools.product(
        wanted.tensor, wanted.pipeline, wanted.virtual_stages, wanted.context, wanted.micro_batch, wanted.recompute
    )
    found = [layout for choice in grid if (layout := _layout(config, size, *choice))]
    if not found:
        raise UserError(f"plan.layouts: none of these is possible on {size} rank(s); see `snowcoder config check`")
    return found


def _layout(
    config: Config, size: int, tensor: int, pipeline: int, virtual: int, context: int, micro: int, recompute: str
) -> Config | None:
    copies, rest = divmod(size, tensor * pipeline * context)
    changes = {
        "tensor": tensor,
        "sequence": tensor > 1,
        "pipeline": pipeline,
        "virtual_stages": virtual,
        "context": context,
        "micro_batch": micro,
        "recompute": recompute,
        "data": copies,
    }
    if rest or copies == 0:
        return None
    layout = config.model_copy(update={"parallel": config.parallel.model_copy(update=changes)})
    return None if cross_check(layout) else layout


def compare_layouts(layouts: list[Config]) -> Iterator[LayoutResult]:
    """Each layout's first and last stages, by dry runs."""
    stages = [sorted({0, layout.parallel.pipeline - 1}) for layout in layouts]
    jobs = [
        RankJob(layout, rank_of_stage(layout, stage))
        for layout, own in zip(layouts, stages, strict=True)
        for stage in own
    ]
    answers = iter(bar("dry runs", len(jobs), "rank", dry_runs(jobs)))
    for layout, own in zip(layouts, stages, strict=True):
        yield _row(layout, list(itertools.islice(answers, len(own))))


def _row(layout: Config, answers: list[DryAnswer]) -> LayoutResult:
    problem = next((answer.problem for answer in answers if answer.problem), "")
    reports: list[RankReport] = [answer.report for answer in answers if answer.report]
    if problem:
        return LayoutResult(layout, 0.0, None, problem)
    slowest = max((step_time(layout, report) for report in reports), key=lambda time: time.total)
    return LayoutResult(layout, max(report.peak for report in reports), slowest)


def result_as_json(row: LayoutResult) -> dict[str, Any]:
    """One layout; `seconds` and its parts are by the model, not measured."""
    return {
        "parallel": row.config.parallel.model_dump(mode="json"),
        "peak_bytes": row.peak,
        "fits": row.fits,
        "seconds": row.time.total if row.time else None,
        "parts": row.time._asdict() if row.time else None,
        "problem": row.problem,
    }


def describe_table(config: Config, rows: list[LayoutResult]) -> Iterator[str]:
    device = config.device
    yield f"{len(rows)} layouts of {config.parallel.world_size:,} rank(s) by dry runs; speeds by a model, not measured:"
    yield (
        f"  {config.precision.peak_tflops:g} TFLOP/s at {device.utilisation:.0%}, {device.link_gbs:g} GB/s inside "
        f"nodes of {device.per_node}, {device.network_gbs:g} GB/s between them, {device.latency_us:g} us a call, "
        f"{device.memory_gbs:g} GB/s of memory (conf/device)"
    )
    yield f"  kernels: {SAID[device.kernels]}"
    yield ""
    yield f"  {'layout':<48}{'peak':>10}{'':>6}{'step':>9}{'tokens/s':>12}{'MFU':>7}  of which is waited for"
    yield from map(_line, rows)
    yield ""
    yield _fastest(rows[0])


def _line(row: LayoutResult) -> str:
    if row.time is None:
        return f"  {_name(row.config):<48}fails: {row.problem}"
    phase = longest(row.config)
    tokens = phase.global_batch * phase.sequence_length / row.seconds
    ranks, peak = row.config.parallel.world_size, (row.config.precision.peak_tflops or 1.0) * 1e12
    mfu = flops_per_token(row.config.model, phase.sequence_length, causal=True) * tokens / ranks / peak
    waits = {name: part for name, part in row.time._asdict().items() if name != "compute"}
    told = ", ".join(f"{name} {part / row.seconds:.0%}" for name, part in waits.items() if part >= 0.005 * row.seconds)
    fits = "" if row.fits else "too much"
    speed = f"{row.seconds:>5.2f} s{tokens:>12,.0f}{mfu:>7.1%}"
    return f"  {_name(row.config):<48}{readable.size(row.peak):>10} {fits:<9}{speed}  {told}"


def _name(config: Config) -> str:
    parallel = config.parallel
    parts = [f"tensor={parallel.tensor}", f"pipeline={parallel.pipeline}"]
    parts += [f"virtual={parallel.virtual_stages}"] if parallel.virtual_stages > 1 else []
    parts += [f"context={parallel.context}"] if parallel.context > 1 else []
    return " ".join(
        [*parts, f"data={parallel.data}", f"micro={parallel.micro_batch}", f"recompute={parallel.recompute}"]
    )


def _fastest(row: LayoutResult) -> str:
    if not row.fits:
        return f"none fits in device.memory_gib={row.config.device.memory_gib:g}"
    parallel = row.config.parallel
    keys = ("tensor", "sequence", "pipeline", "virtual_stages", "context", "data", "micro_batch", "recompute")
    words = " ".join(f"parallel.{key}={str(getattr(parallel, key)).lower()}" for key in keys)
    return f"the fastest that fits, by this model: {words}"
