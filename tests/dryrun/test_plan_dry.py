"""`snowcoder plan dry` and `plan layouts`: what they print, what they refuse, what they name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.dryrun import dry, layouts, worker
from snowcoder.dryrun.bubble import bubble_share
from snowcoder.dryrun.cost_model import step_time
from snowcoder.dryrun.fleet import DryAnswer, RankJob, dry_runs
from snowcoder.dryrun.report import RankReport, Traffic
from snowcoder.errors import UserError
from tests.tiny import LAYOUTS, tiny_overrides

GIB = 2**30
GPU = ["device=h100", "precision=bf16"]


def small(folder: Path, *more: str) -> Config:
    return load_config(tiny_overrides(folder, *more))


def changed(config: Config, **parallel: Any) -> Config:
    """Another layout, past the rules."""
    return config.model_copy(update={"parallel": config.parallel.model_copy(update=parallel)})


def reports(*jobs: RankJob) -> list[RankReport]:
    answers: list[DryAnswer] = list(dry_runs(jobs))
    assert not any(answer.problem for answer in answers), answers
    return [answer.report for answer in answers if answer.report]


@pytest.mark.slow
def test_the_talks_layout_and_a_last_stage() -> None:
    """1.3B on 128 ranks: parameters, memory, gradients reduced once in fp32 and weights gathered once."""
    config = load_config(["parallel=h100x128"])
    pipelined = load_config(["parallel.pipeline=4", "parallel.data=32"])
    first, last = reports(RankJob(config, 0), RankJob(pipelined, 127))
    assert first.parameters == 1_364_297_728
    assert 21 * GIB < first.peak < 25 * GIB
    traffic = {(one.group, one.kind): one.bytes for one in first.traffic}
    assert traffic["data", "reduce-scatter"] == pytest.approx(first.parameters * 4, rel=1e-3)
    assert traffic["data", "all-gather"] == pytest.approx(first.parameters * 2, rel=1e-3)
    # 6 FLOPs a parameter and token; the output table is the embedding, and norms multiply nothing.
    assert first.matmul_flops == pytest.approx(6 * first.parameters * 4 * 8192, rel=1e-3)
    assert last.stage == 3
    assert sum(one.bytes for one in last.traffic if one.kind == "receive") == 16 * 8192 * 2048 * 2


def test_products_of_cpus_are_counted(tmp_path: Path) -> None:
    config = small(tmp_path, *LAYOUTS["tp1"])
    (own,) = reports(RankJob(config, 0))
    tokens = config.phases["phase1"].global_batch * 64
    assert own.matmul_flops == pytest.approx(6 * own.parameters * tokens, rel=0.01)


def test_all_that_a_gpu_has_and_this_machine_has_not(tmp_path: Path) -> None:
    """Context ranks pass keys and values on; document masks change no memory; recomputation saves most of it."""
    plain = small(tmp_path, *GPU, "parallel=single", "model.sequence_length=256", "model.kv_heads=4")
    split = changed(plain, context=2)
    masked = plain.model_copy(update={"packing": plain.packing.model_copy(update={"document_mask": True})})
    again = changed(plain, recompute="full")
    one, two, documents, recomputed = reports(*(RankJob(config, 0) for config in (plain, split, masked, again)))
    assert two.by_kind()["activations"] < 0.6 * one.by_kind()["activations"]
    assert two.matmul_flops < one.matmul_flops
    assert any(t.group == "context" and t.kind == "send" for t in two.traffic)
    assert documents.by_kind()["activations"] == pytest.approx(one.by_kind()["activations"], rel=0.01)
    assert recomputed.by_kind()["activations"] < 0.5 * one.by_kind()["activations"]
    assert recomputed.matmul_flops > 1.2 * one.matmul_flops


def test_many_micro_batches_follow_from_a_few(tmp_path: Path) -> None:
    batches = [f"phases.phase{n}.{key}" for n in (1, 2, 3) for key in ("global_batch=32", "tokens=65536")]
    config = small(tmp_path, "parallel=single", "parallel.pipeline=2", *batches)
    (whole,) = reports(RankJob(config, 1))
    assert (whole.micro_batches, whole.measured) == (16, [4, 6])
    unit = sum(one.calls for one in whole.traffic if one.kind == "receive")
    assert unit == 16


def test_a_step_that_would_fail_is_named(tmp_path: Path) -> None:
    """By the library's words and the place: the rules of the config are passed over here."""
    heads = changed(small(tmp_path, "parallel=single"), tensor=3)
    config = small(tmp_path, "parallel=tp2")
    phases = {name: phase.model_copy(update={"sequence_length": 63}) for name, phase in config.phases.items()}
    odd = config.model_copy(update={"phases": phases})
    built, forward = [answer.problem for answer in dry_runs([RankJob(heads, 0), RankJob(odd, 0)])]
    assert "in build: num_attention_heads (4) must be a multiple of tensor_model_parallel_size (3)" in built
    assert "embedding" in forward
    assert "divisible by tensor parallel size" in forward


def test_this_process_stays_as_it_was(tmp_path: Path) -> None:
    before = torch.nn.Module._apply, torch.get_rng_state, torch.tensor
    reports(RankJob(small(tmp_path, *GPU, "parallel=single"), 0))
    assert (torch.nn.Module._apply, torch.get_rng_state, torch.tensor) == before


def test_a_process_that_is_killed_is_no_endless_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_answer", lambda job: os._exit(9))
    assert "the process of rank 3 ended with 9" in worker._in_a_fork({"rank": 3})["lost"]


def test_fp8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"precision\.fp8=tensorwise"):
        dry.run(small(tmp_path, "device=h100", "precision=fp8"))


def test_context_on_a_cpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"parallel\.context=2"):
        dry.run(small(tmp_path, "parallel=single", "parallel.context=2"))


def test_a_rank_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a rank is one of 0 to 1"):
        dry.run(small(tmp_path), "2")


def test_the_verb_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dry.run(small(tmp_path), "1", "json")
    found = json.loads(capsys.readouterr().out)
    (report,) = found["reports"]
    assert report["rank"] == 1
    assert report["peak_bytes"] == sum(report["held"].values())
    dry.run(small(tmp_path, "parallel=tp2"))
    text = capsys.readouterr().out
    for word in ("kernels: torch's", "weights", "all-gather     tensor", "`snowcoder plan` estimates", "fits in"):
        assert word in text


def test_the_table_names_the_fastest_that_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With little memory it is one that recomputes, with more one that does not; of two ranks each."""
    grid = ["plan.layouts.tensor=[1]", "plan.layouts.pipeline=[1]", "plan.layouts.micro_batch=[1]"]
    config = small(tmp_path, "parallel=single", "parallel.data=2", "model.sequence_length=256", *GPU, *grid)
    rows = sorted(layouts.compare_layouts(layouts.candidates(config)), key=lambda row: row.peak)
    assert [row.config.parallel.recompute for row in rows] == ["full", "none"]
    assert rows[0].seconds > rows[1].seconds
    between = (rows[0].peak + rows[1].peak) / 2 / GIB
    layouts.run(config.model_copy(update={"device": config.device.model_copy(update={"memory_gib": between})}))
    assert "parallel.recompute=full" in capsys.readouterr().out.splitlines()[-1]
    layouts.run(config)
    assert "parallel.recompute=none" in capsys.readouterr().out.splitlines()[-1]


def test_the_bubble() -> None:
    parallel = load_config(["parallel.pipeline=4", "parallel.virtual_stages=3"]).parallel
    assert bubble_share(parallel, micro_batches=9) == pytest.approx(1 / 10)


def test_the_model_of_time() -> None:
    """Compute at half of the peak; a ring over nodes at the network's rate, which the backward pass hides in part."""
    config = load_config(["parallel=h100x128"])
    traffic = Traffic(group="data", ranks=(128, 0, 127), kind="all-gather", calls=1, bytes=128e9)
    report = RankReport(
        rank=0,
        stage=0,
        parameters=1,
        held={"weights": 3350e9 / 2},
        peak_in="",
        matmul_flops=989e12,
        attention_flops=989e12,
        traffic=[traffic],
        micro_batches=4,
        measured=[4],
    )
    time = step_time(config, report)
    assert time.compute == pytest.approx(3.0)
    assert time.update == pytest.approx(1.0)
    assert time.data == pytest.approx(127e9 / 50e9 + 20e-6 - 2.0)
    assert time.bubble == 0
