"""What a dry run says of a step against real ranks that do it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.dryrun.fleet import RankJob, dry_runs
from snowcoder.dryrun.report import RankReport
from snowcoder.training.train import launch
from tests.tiny import LAYOUTS, tiny_overrides

# gloo has no reduce-scatter: torch makes it of an all-reduce.
_BY_GLOO = {
    "all-reduce": "all_reduce",
    "reduce-scatter": "all_reduce",
    "all-gather": "all_gather",
    "broadcast": "broadcast",
    "send": "send",
    "receive": "recv",
}


def small(folder: Path, *more: str) -> Config:
    phases = (f"phases.phase{n}.{key}" for n in (1, 2, 3) for key in ("tokens=8192", "global_batch=8"))
    steps = (f"phases.phase{n}.learning_rate.warmup_steps=1" for n in (1, 2, 3))
    return load_config(tiny_overrides(folder, *phases, *steps, *more))


def real_and_dry(config: Config, rank: int) -> tuple[RankReport, RankReport]:
    launch("tests.dryrun.watched:real_step", config, "resolved.yaml", config.run.dir)
    (answer,) = dry_runs([RankJob(config, rank)])
    assert answer.report is not None, answer.problem
    return RankReport.model_validate_json((Path(config.run.dir) / f"rank-{rank}.json").read_text()), answer.report


def calls_by_gloo(report: RankReport) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in report.traffic:
        found[f"gloo:{_BY_GLOO[one.kind]}"] += int(one.calls)
    return found


# A reduce-scatter of several buckets is one call, of which gloo makes an all-reduce for each: the last of two virtual
# stages has two buckets, for the tied embeddings are in one of their own.
@pytest.mark.parametrize(
    ("layout", "by_gloo_more"),
    [("tp2sp", 0), pytest.param("pp2", 0, marks=pytest.mark.slow), ("pp2vpp2", 1), ("dp2overlap", 0)],
)
def test_a_dry_step_is_the_real_one(tmp_path: Path, layout: str, by_gloo_more: int) -> None:
    """The same memory to the byte, FLOPs and collectives; and gloo itself counts as many of these."""
    config = small(tmp_path, *LAYOUTS[layout])
    for _ in range(3):
        real, dry = real_and_dry(config, rank=1)
        if real.peak == dry.peak:  # gloo's threads may hold a tensor a moment longer, and the peak be another's
            break
    assert dry.traffic == real.traffic
    assert (dry.matmul_flops, dry.attention_flops) == (real.matmul_flops, real.attention_flops)
    calls = calls_by_gloo(dry) + Counter({"gloo:all_reduce": by_gloo_more})
    assert calls == Counter((tmp_path / "gloo-1.txt").read_text().split("\n"))
    steady = {name: size for name, size in dry.held.items() if name != "backward pass"}
    assert steady == {name: size for name, size in real.held.items() if name != "backward pass"}
    assert dry.peak == real.peak


def test_one_rank_has_the_same_bytes(tmp_path: Path) -> None:
    real, dry = real_and_dry(small(tmp_path, *LAYOUTS["tp1"], "parallel.recompute=full"), rank=0)
    assert dry == real


def test_memory_is_what_the_process_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 5% of what Linux counts, for a model that is larger than what else a process takes."""
    monkeypatch.setitem(os.environ, "MALLOC_MMAP_THRESHOLD_", "65536")  # tensors go back to Linux as they end
    config = small(
        tmp_path,
        *LAYOUTS["tp1"],
        *("model.hidden=512", "model.ffn=1408", "model.heads=8", "model.kv_heads=8", "model.sequence_length=256"),
        *("parallel.micro_batch=8", "launch.threads=2"),
    )
    launch("tests.dryrun.watched:memory_of_step", config, "resolved.yaml", str(tmp_path / "bytes"))
    (answer,) = dry_runs([RankJob(config, 0)])
    assert answer.report is not None, answer.problem
    assert answer.report.peak == pytest.approx(int((tmp_path / "bytes").read_text()), rel=0.05)
