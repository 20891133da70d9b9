"""Ablations: variants that go on from one checkpoint, as a user would train them; what fails is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from snowcoder.ablation.variants import make_variants
from snowcoder.errors import UserError
from tests.tiny import curve, snowcoder, tiny_overrides

SIZES = [
    "parallel=single",
    "index.held_out=0.1",
    "logging.validate_every=4",
    "logging.validate_samples=4",
    *(f"phases.{phase}.global_batch=4" for phase in ("phase1", "phase2", "phase3")),
    *(f"phases.{phase}.learning_rate.warmup_steps=1" for phase in ("phase1", "phase2", "phase3")),
    "phases.phase1.tokens=1024",  # 4 steps
    "phases.phase2.tokens=7680",  # of which an ablation takes a fifth: 6 steps
    "phases.phase3.tokens=512",
]


@pytest.mark.parametrize("name", ["schedule", "repetitions", "grouping", "selection", "synthetic"])
@pytest.mark.parametrize("recipe", ["arctic", "laptop"])
def test_every_variant_of_every_ablation_composes(name: str, recipe: str) -> None:
    config, variants = make_variants([f"ablation={name}", f"recipe={recipe}"])
    assert config.ablation
    assert config.ablation.name == name
    assert [variant.name for variant in variants] == list(config.ablation.variants)
    assert len({variant.config.run.dir for variant in variants}) == len(variants)


def test_repetitions_train_on_as_many_tokens_as_they_select_times_over() -> None:
    _, variants = make_variants(["ablation=repetitions"])
    for variant in variants:
        phase, select = variant.config.phases["phase2"], variant.config.annotator.select
        times, billions = map(int, variant.name.split("x"))
        assert phase.tokens / select.tokens == pytest.approx(times, rel=1e-3)
        assert select.tokens == pytest.approx(billions * 1e9, rel=0.05)
        assert list(phase.sources) == [select.source]


def test_all_wrong_variants_are_named_before_anything_runs(tmp_path: Path) -> None:
    wrong = ["phases.phase2.tokns=3", "optimizer.lr=fast"]
    variants = [f"ablation.variants.wrong{n}={{overrides:['{text}']}}" for n, text in enumerate(wrong)]
    with pytest.raises(UserError) as caught:
        make_variants([f"run.dir={tmp_path}", "ablation=schedule", *variants])
    assert "wrong0: " in str(caught.value)
    assert "did you mean phases.phase2.tokens?" in str(caught.value)
    assert "wrong1: " in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_without_a_choice_it_names_them() -> None:
    done = snowcoder("ablate", check=False)
    assert done.returncode == 2
    assert "ablation=schedule, repetitions, grouping, selection or synthetic" in done.stderr


def test_variants_are_what_a_user_would_train_and_one_that_fails_stops_no_other(
    workspace: Path, tmp_path: Path
) -> None:
    places = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index"]
    base = tiny_overrides(tmp_path / "base", *places, *SIZES)
    fails = "phases.phase2.sources.selected.max_epochs=0.001"
    ablation = [
        "ablation=schedule",
        "~ablation.variants.constant_min",
        f"ablation.variants.linear_min.overrides=['{fails}']",
        "ablation.stages=[plan,train,export]",
        "ablation.baseline=rewarmup",
        "evaluation.suites=[]",
        "evaluation.bits={source:raw,kib:1,solutions:[humaneval]}",
        "evaluation.first=2",
    ]

    early = snowcoder("ablate", *base, *ablation, check=False)
    assert early.returncode == 2
    snowcoder("plan", *base)
    early = snowcoder("ablate", *base, *ablation, check=False)
    assert early.returncode == 2
    assert "`snowcoder train phase=phase1` with this run.dir makes it" in early.stderr
    snowcoder("train", *base, "phase=phase1")

    done = snowcoder("ablate", *base, *ablation, check=False)
    assert done.returncode == 1
    assert "these variants failed, see above; the same command does them again: linear_min" in done.stderr
    folder = tmp_path / "base" / "ablations" / "schedule"
    rows = (folder / "table.md").read_text().splitlines()
    assert rows[0].startswith(
        "| variant | steps | tokens | loss | selected, held out | raw, held out | minutes | paper"
    )
    assert rows[2].startswith("| linear_min | 0 | 0 |  |")
    assert rows[3].startswith("| rewarmup | 6 | 1,536 | ")
    assert rows[3].endswith("| 22.0 | 18.3 | 40.2 | 33.1 | 11.6 |")

    assert "| HumanEval | 2 |" in (folder / "evaluation" / "table.md").read_text()

    by_hand = tmp_path / "by_hand"
    shutil.copytree(tmp_path / "base" / "train", by_hand / "train")
    same = [*tiny_overrides(by_hand, *places, *SIZES), "phases.phase2.tokens=1536"]
    snowcoder("plan", *same)
    snowcoder("train", *same, "phase=phase2")
    assert curve(folder / "rewarmup") == curve(by_hand)
    assert len(curve(by_hand)) == 6
