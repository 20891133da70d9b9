"""What differs between two plans is named by its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snowcoder.config.schema import FimConfig
from snowcoder.mixture.differences import plan_differences
from snowcoder.mixture.phase_plan import Plan, SourceSize, make_plan
from tests.mixture.small_plan import configure, phase

SIZES = {"raw": SourceSize(100_000, "r" * 32), "best": SourceSize(100_000, "b" * 32)}
FIRST: dict[str, tuple[float, float]] = {"raw": (1.0, 9)}
SECOND: dict[str, tuple[float, float]] = {"raw": (0.5, 9), "best": (0.5, 9)}


def plan_of(seed: int = 1, sizes: dict[str, SourceSize] | None = None, fim: float = 0.0, **phases: Any) -> Plan:
    phases = {"phase1": phase(20, 4, 16, **FIRST), "phase2": phase(5, 4, 16, **SECOND), **phases}
    config = configure(Path("nowhere"), seed, **phases)
    config = config.model_copy(update={"fim": FimConfig(rate=fim, spm=0.5, slack=8, longest=999)})
    return make_plan(config, sizes or SIZES)


def with_peak(peak: float) -> dict[str, Any]:
    changed = phase(5, 4, 16, **SECOND)
    return {**changed, "learning_rate": {**changed["learning_rate"], "peak": peak}}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"seed": 2}, ["run.seed: 1 -> 2"]),
        ({"fim": 0.5}, ["fim.rate: 0 -> 0.5"]),
        ({"phase1": phase(21, 4, 16, **FIRST)}, ["phases.phase1.tokens: 1280 -> 1344"]),
        ({"phase1": phase(10, 8, 16, **FIRST)}, ["phases.phase1.global_batch: 4 -> 8"]),
        ({"phase1": phase(40, 4, 8, **FIRST)}, ["phases.phase1.sequence_length: 16 -> 8"]),
        ({"phase2": with_peak(2e-3)}, ["phases.phase2.learning_rate.peak: 0.001 -> 0.002"]),
        (
            {"phase2": phase(5, 4, 16, raw=(0.2, 9), best=(0.8, 9))},
            ["phases.phase2.sources.raw.share: 0.5 -> 0.2", "phases.phase2.sources.best.share: 0.5 -> 0.8"],
        ),
        (
            {"phase2": phase(5, 4, 16, raw=(1.0, 9))},
            ["phases.phase2.sources.raw.share: 0.5 -> 1", "phases.phase2.sources.best.share: 0.5 -> 0"],
        ),
        (
            {"sizes": {**SIZES, "raw": SourceSize(99_000, "s" * 32)}},
            [f"the index of raw: {'r' * 32} -> {'s' * 32}"],
        ),
        ({"phase3": phase(5, 4, 16, **FIRST)}, []),  # a later phase is no difference of those before it
    ],
    ids=lambda value: next(iter(value), "none") if isinstance(value, dict) else "",
)
def test_each_difference_is_named_once(changed: dict[str, Any], expected: list[str]) -> None:
    found = plan_differences(plan_of(), plan_of(**changed))
    assert found == expected or (not expected and "another version" in found[0])
