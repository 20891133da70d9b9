"""The learning rate of each phase as the paper states it, step by step."""

from itertools import pairwise

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import LearningRateConfig
from snowcoder.training.schedule import learning_rate

PEAK = 5.3e-4


def policy(name: str) -> LearningRateConfig:
    return load_config(["recipe=arctic"]).phases[name].learning_rate


def test_phase1_warms_up_over_600_steps_and_follows_a_cosine_to_a_tenth() -> None:
    steps, phase1 = 119_209, policy("phase1")
    rates = [learning_rate(phase1, step, steps) for step in range(steps)]
    assert rates[0] == pytest.approx(PEAK / 600)
    assert rates[299] == pytest.approx(PEAK / 2)
    assert rates[599] == pytest.approx(PEAK) == max(rates)
    assert rates[-1] == pytest.approx(5.3e-5)
    middle = 599 + (steps - 600) // 2
    assert rates[middle] == pytest.approx((PEAK + 5.3e-5) / 2, rel=1e-4)
    assert all(later <= earlier for earlier, later in pairwise(rates[599:]))


def test_phase2_warms_up_again_from_0_over_1000_steps_and_falls_linearly_to_0() -> None:
    steps, phase2 = 11_921, policy("phase2")
    assert learning_rate(phase2, 0, steps) == pytest.approx(PEAK / 1000)
    assert learning_rate(phase2, 999, steps) == pytest.approx(PEAK)
    assert learning_rate(phase2, steps - 1, steps) == 0.0
    falls = [
        learning_rate(phase2, step, steps) - learning_rate(phase2, step + 1, steps) for step in range(1000, steps - 1)
    ]
    assert max(falls) == pytest.approx(min(falls))


def test_no_warm_up_starts_below_the_peak_by_one_step_and_constant_stays() -> None:
    flat = LearningRateConfig(peak=1.0, warmup_steps=0, shape="constant", final_ratio=0.1)
    assert [learning_rate(flat, step, 5) for step in range(5)] == [1.0] * 5
    falling = LearningRateConfig(peak=1.0, warmup_steps=0, shape="linear", final_ratio=0.0)
    assert [learning_rate(falling, step, 4) for step in range(4)] == [0.75, 0.5, 0.25, 0.0]
