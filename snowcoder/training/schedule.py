"""The learning rate as a pure function of phase and step."""

from __future__ import annotations

import math

from snowcoder.config.schema import LearningRateConfig


def learning_rate(policy: LearningRateConfig, step: int, steps: int) -> float:
    """Rate at the `step`-th (0-based) of a phase's `steps` updates.

    Linear warm-up from 0, reaching the peak at update `warmup_steps`; then the policy's shape, which ends at
    `final_ratio` x peak with the phase's last update. This is Megatron's schedule, restarted by each phase.
    """
    update = step + 1
    if update <= policy.warmup_steps:
        return policy.peak * update / policy.warmup_steps
    if policy.shape == "constant":
        return policy.peak
    done = (update - policy.warmup_steps) / (steps - policy.warmup_steps)
    left = 1.0 - done if policy.shape == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
    return policy.peak * (policy.final_ratio + (1.0 - policy.final_ratio) * left)
