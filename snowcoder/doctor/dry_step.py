"""The first step of the layout, on fake tensors: whether it would fail, and whether it fits in a device."""

from __future__ import annotations

from collections.abc import Iterator

from snowcoder import readable
from snowcoder.config.schema import Config
from snowcoder.doctor.finding import Finding
from snowcoder.dryrun.fleet import RankJob, dry_runs, rank_of_stage, refuse
from snowcoder.errors import UserError

_NEAR = 0.95  # of the device's memory


def step_findings(config: Config) -> Iterator[Finding]:
    """Of the first pipeline stage, which holds most."""
    try:
        refuse(config)
    except UserError as error:
        yield Finding("warning", "first step", f"not tried: {error}")
        return
    (answer,) = dry_runs([RankJob(config, rank_of_stage(config, 0))])
    if answer.report is None:
        yield Finding("problem", "first step", f"would fail: {answer.problem}")
        return
    room, peak = config.device.memory_gib * 2**30, answer.report.peak
    text = f"takes {readable.size(peak)} of device.memory_gib={config.device.memory_gib:g} by a dry run"
    if peak > room:
        yield Finding("warning", "first step", f"{text}: `snowcoder plan layouts` finds a layout that fits")
    else:
        yield Finding("ok" if peak < _NEAR * room else "warning", "first step", text)
