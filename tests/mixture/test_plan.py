"""The plan's arithmetic: steps, draws, cursors, digests, caps."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.mixture.phase_plan import Plan, SourceSize, make_plan
from tests.mixture.small_plan import configure, phase

SIZES = {"raw": SourceSize(30_000, "r"), "best": SourceSize(7_001, "b")}
PHASES = {
    "phase1": phase(40, 12, 64, raw=(0.8, 2), best=(0.2, 1)),
    "phase2": phase(17, 8, 48, best=(1.0, 2)),
    "phase3": phase(9, 8, 32, raw=(0.25, 2), best=(0.75, 3)),
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(configure(Path("-"), **PHASES), SIZES)


def all_draws(plan: Plan) -> list[list[tuple[str, int]]]:
    return [[tuple(draw) for draw in plan.draws(step)] for step in range(plan.total_steps)]


def test_the_papers_numbers() -> None:
    config = load_config(["recipe=arctic"])
    sizes = {name: SourceSize(int(source.planned_tokens or 0), "") for name, source in config.index.sources.items()}
    plan = make_plan(config, sizes)
    assert [phase.steps for phase in plan.phases] == [119_209, 11_921, 1_192]
    assert [phase.first_step for phase in plan.phases] == [0, 119_209, 131_130]
    epochs = {
        source.name: source.draws * phase.sequence_length / source.epoch_tokens
        for phase in plan.phases
        for source in phase.sources
    }
    expected = {"raw": 1.25, "selected": 4, "synthetic_python": 2.5, "synthetic_other": 2.5}
    assert epochs == pytest.approx(expected, rel=1e-4)
    for step in (0, 119_208, 119_209, 131_130, plan.total_steps - 1):
        assert len(set(plan.draws(step))) == 512
    assert Counter(draw.source for draw in plan.draws(131_500)) == {
        "synthetic_python": 256,
        "synthetic_other": 256,
    }


def test_windows_of_a_source_follow_one_another_through_all_phases(plan: Plan) -> None:
    """No token is drawn twice before its epoch ends, and none is left out."""
    spans: dict[str, list[tuple[int, int]]] = {"raw": [], "best": []}
    for step in range(plan.total_steps):
        length = plan.phase_at(step).sequence_length
        for source, position in plan.draws(step):
            spans[source].append((position, position + length))
    for source, taken in spans.items():
        taken.sort()
        ends = [0, *(end for _, end in taken)]
        assert [begin for begin, _ in taken] == ends[:-1]
        assert ends[-1] == plan.cursors(plan.total_steps)[source]


def test_windows_of_an_epoch_are_shuffled_and_epochs_stay_in_order(plan: Plan) -> None:
    positions = np.array([p for step in range(40) for source, p in plan.draws(step) if source == "raw"])
    # Slots shuffle a batch too: look at the order of whole steps.
    epochs = positions // SIZES["raw"].tokens
    assert (np.maximum.accumulate(epochs) - epochs).sum() <= 12  # within the batch that turns over
    first = positions[epochs == 0]
    assert abs(np.corrcoef(first, np.arange(len(first)))[0, 1]) < 0.2


def test_each_epoch_shuffles_its_windows_anew() -> None:
    config = configure(Path("-"), phase1=phase(128, 1, 16, raw=(1.0, 2)))
    plan = make_plan(config, {"raw": SourceSize(64 * 16, "r")})
    positions = [plan.draws(step)[0].position % (64 * 16) for step in range(128)]
    assert sorted(positions[:64]) == sorted(positions[64:])
    assert positions[:64] != positions[64:]


def test_each_batch_has_the_phases_shares(plan: Plan) -> None:
    for step in range(40):
        counts = Counter(draw.source for draw in plan.draws(step))
        assert sum(counts.values()) == 12
        assert abs(counts["raw"] - 0.8 * 12) <= 1
    # Slots mix sources: in no batch do they come in a block each.
    blocks = [[draw.source for draw in plan.draws(step)] for step in range(40)]
    assert sum(block == sorted(block) or block == sorted(block)[::-1] for block in blocks) < 5


def test_ledger_and_cursors_are_what_the_draws_came_to(plan: Plan) -> None:
    ledger: Counter[tuple[str, str]] = Counter()
    for step in range(plan.total_steps + 1):
        told = plan.consumed(step)
        assert {(p, s): n for p, sources in told.items() for s, n in sources.items() if n} == ledger
        cursors = {s: sum(n for (_, own), n in ledger.items() if own == s) for s in SIZES}
        assert plan.cursors(step) == cursors
        if step < plan.total_steps:
            now = plan.phase_at(step)
            for draw in plan.draws(step):
                ledger[now.name, draw.source] += now.sequence_length
    assert sum(ledger.values()) == sum(phase.tokens for phase in plan.phases)


def test_a_later_phase_changes_nothing_earlier(plan: Plan) -> None:
    changed = {**PHASES, "phase3": phase(20, 4, 64, raw=(1.0, 2))}
    other = make_plan(configure(Path("-"), **changed), SIZES)
    assert [a.digest == b.digest for a, b in zip(plan.phases, other.phases, strict=True)] == [
        True,
        True,
        False,
    ]
    assert all_draws(plan)[:57] == all_draws(other)[:57]
    assert all_draws(plan)[57:] != all_draws(other)[57:66]


@pytest.mark.parametrize("what", ["seed", "budget", "rate", "size", "index"])
def test_whatever_changes_a_phase_changes_its_digest_and_those_after(plan: Plan, what: str) -> None:
    phases, sizes, seed = dict(PHASES), dict(SIZES), 2 if what == "seed" else 1
    if what == "budget":
        phases["phase1"] = phase(39, 12, 64, raw=(0.8, 2), best=(0.2, 1))
    if what == "rate":
        rate = {**PHASES["phase1"]["learning_rate"], "peak": 2e-3}
        phases["phase1"] = {**PHASES["phase1"], "learning_rate": rate}
    if what == "size":
        sizes["best"] = SourceSize(7_002, "b")
    if what == "index":
        sizes["best"] = SourceSize(7_001, "b2")
    other = make_plan(configure(Path("-"), seed, **phases), sizes)
    pairs = zip(plan.phases, other.phases, strict=True)
    assert not any(one.digest == another.digest for one, another in pairs)


def test_a_seed_changes_which_samples_meet(plan: Plan) -> None:
    other = make_plan(configure(Path("-"), 2, **PHASES), SIZES)
    for one, another in zip(all_draws(plan), all_draws(other), strict=True):
        assert sorted(one) != sorted(another)


def test_json_gives_the_plan_back(plan: Plan) -> None:
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


FRESH = """
import sys
from snowcoder.mixture.phase_plan import Plan
plan = Plan.model_validate_json(sys.stdin.read())
print([[tuple(draw) for draw in plan.draws(step)] for step in reversed(range(plan.total_steps))])
"""


def test_a_fresh_process_draws_the_same_in_any_order(plan: Plan) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FRESH], input=plan.model_dump_json(), capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(done.stdout) == all_draws(plan)[::-1]


def refusal(config: Config, sizes: dict[str, SourceSize]) -> str:
    with pytest.raises(UserError) as error:
        make_plan(config, sizes)
    return str(error.value)


def test_every_source_above_its_cap_is_named_with_the_numbers() -> None:
    phases = {
        "phase1": phase(10, 10, 50, raw=(1.0, 1.0)),
        "phase2": phase(10, 10, 50, raw=(0.4, 1.2), best=(0.6, 2)),
    }
    sizes = {"raw": SourceSize(5_500, "r"), "best": SourceSize(1_000, "b")}
    text = refusal(configure(Path("-"), **phases), sizes)
    assert "phase1" not in text
    raw, best = text.splitlines()[1:]
    assert "phases.phase2.sources.raw: 2,000 tokens wanted after 5,000" in raw
    assert "one epoch has 5,500, so that is 1.273 epochs, above max_epochs=1.2" in raw
    assert "at most phases.phase2.tokens=4000 or share=0.32 would fit" in raw
    assert "phases.phase2.sources.best: 3,000 tokens wanted after 0" in best
    assert "3.000 epochs, above max_epochs=2" in best


@pytest.mark.parametrize("share", [0.3, 0.37, 1 / 3])
@pytest.mark.parametrize("tokens", [777, 1_234, 5_000])
def test_what_is_said_to_fit_fits_and_no_step_more(share: float, tokens: int) -> None:
    sizes = {"raw": SourceSize(tokens, "r"), "rest": SourceSize(10**9, "r")}

    def config(steps: int, share: float) -> Config:
        sources = {"raw": (share, 1.1), "rest": (1 - share, 9.0)}
        return configure(Path("-"), phase1=phase(steps, 4, 16, **sources))

    text = refusal(config(1000, share), sizes)
    budget, most = re.findall(r"tokens=(\d+) or share=([\d.]+)", text)[0]
    make_plan(config(int(budget) // 64, share), sizes)
    make_plan(config(1000, float(most)), sizes)
    refusal(config(int(budget) // 64 + 2, share), sizes)
    refusal(config(1000, float(most) + 6e-4), sizes)


def test_a_source_that_is_used_up_leaves_no_budget() -> None:
    phases = {"phase1": phase(2, 4, 16, raw=(1.0, 1)), "phase2": phase(1, 4, 16, raw=(1.0, 1))}
    text = refusal(configure(Path("-"), **phases), {"raw": SourceSize(130, "r")})
    assert "no step of this phase fits" in text
