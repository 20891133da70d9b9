"""From steps of few micro batches to one of many: once the pipeline is full, each adds the same."""

from __future__ import annotations

from snowcoder.dryrun.report import RankReport, Traffic


def extrapolate(reports: list[RankReport], wanted: int) -> RankReport:
    """Of one report, the same; of two, the line through them at `wanted` micro batches."""
    first, last = reports[0], reports[-1]
    if len(reports) == 1:
        return last
    steps = (wanted - last.micro_batches) / (last.micro_batches - first.micro_batches)

    def line(before: float, after: float) -> float:
        return after + steps * (after - before)

    held = {name: line(first.held.get(name, size), size) for name, size in last.held.items()}
    return last.model_copy(
        update={
            "held": held,
            "matmul_flops": line(first.matmul_flops, last.matmul_flops),
            "attention_flops": line(first.attention_flops, last.attention_flops),
            "traffic": _traffic(first, last, steps),
            "micro_batches": wanted,
            "measured": [report.micro_batches for report in reports],
        }
    )


def _traffic(first: RankReport, last: RankReport, steps: float) -> list[Traffic]:
    before = {(one.group, one.kind): one for one in first.traffic}
    return [_extend(before.get((one.group, one.kind), one), one, steps) for one in last.traffic]


def _extend(before: Traffic, after: Traffic, steps: float) -> Traffic:
    return after.model_copy(
        update={
            "calls": after.calls + steps * (after.calls - before.calls),
            "bytes": after.bytes + steps * (after.bytes - before.bytes),
        }
    )
