"""A model of how long a step takes, from what a dry run counted and what `device` assumes. Nothing here is measured.

- Compute: matrix products, and the causal half of attention's, at `device.utilisation` of `precision.peak_tflops`.
- Collectives: rings (all-reduce 2(n-1)/n of the bytes, all-gather and reduce-scatter (n-1)/n; Thakur et al. 2005) at
  `device.link_gbs` inside a node, else `device.network_gbs`, and `device.latency_us` for each step of a call.
- Those of data parallel groups go beside the backward pass with `parallel.overlap`, those of context parallel ones
  beside attention: what takes longer than that is waited for. All others are waited for.
- The update reads and writes weights, gradients and optimizer state once at `device.memory_gbs`.
- Pipelines wait as `bubble_share` says.
"""

from __future__ import annotations

from typing import NamedTuple

from snowcoder.config.schema import Config, DeviceConfig
from snowcoder.dryrun.bubble import bubble_share
from snowcoder.dryrun.report import RankReport, Traffic
from snowcoder.errors import UserError


class StepTime(NamedTuple):
    """Seconds of a step of one rank."""

    compute: float
    tensor: float
    pipeline: float
    context: float  # that nothing hides
    data: float  # that nothing hides
    update: float
    bubble: float

    @property
    def total(self) -> float:
        return sum(self)


def step_time(config: Config, report: RankReport) -> StepTime:
    """Raises `UserError` where the peak of the device is not known."""
    device = config.device
    if config.precision.peak_tflops is None:
        raise UserError("precision.peak_tflops: is not known, and without it no layout has a speed; set it")
    rate = config.precision.peak_tflops * 1e12 * device.utilisation
    attention = report.attention_flops / 2 / rate
    compute = report.matmul_flops / rate + attention
    talk = dict.fromkeys(("tensor", "pipeline", "context", "data"), 0.0)
    for one in report.traffic:
        talk[one.group if one.group in talk else "pipeline"] += _seconds(device, one)
    busy = compute + talk["tensor"] + talk["pipeline"]
    share = bubble_share(config.parallel, report.micro_batches)
    hidden = compute * 2 / 3 if config.parallel.overlap else 0.0  # the backward pass's
    return StepTime(
        compute=compute,
        tensor=talk["tensor"],
        pipeline=talk["pipeline"],
        context=max(0.0, talk["context"] - attention),
        data=max(0.0, talk["data"] - hidden),
        update=_update(device, report),
        bubble=busy * share / (1 - share),
    )


def _seconds(device: DeviceConfig, traffic: Traffic) -> float:
    count, first, last = traffic.ranks
    if count == 1 or traffic.kind == "receive":  # which goes on while this rank sends
        return 0.0
    ring = {"all-reduce": 2, "send": count / (count - 1)}.get(traffic.kind, 1) * (count - 1) / count
    inside = first // device.per_node == last // device.per_node
    rate = (device.link_gbs if inside else device.network_gbs) * 1e9
    return ring * traffic.bytes / rate + traffic.calls * device.latency_us * 1e-6


def _update(device: DeviceConfig, report: RankReport) -> float:
    held = sum(report.held.get(name, 0.0) for name in ("weights", "gradients", "optimizer state"))
    return 2 * held / (device.memory_gbs * 1e9)
