"""Which steps a dry run does: of the longest sequences, and of few micro batches where there are many."""

from __future__ import annotations

from snowcoder.config.schema import Config, PhaseConfig


def longest(config: Config) -> PhaseConfig:
    """The phase whose steps take most memory."""
    return max(config.phases.values(), key=lambda phase: phase.sequence_length)


def micro_batches_of(config: Config) -> int:
    """Of a rank, a step of that phase."""
    return longest(config).global_batch // (config.parallel.micro_batch * config.parallel.data)


def sizes_of_steps(wanted: int, pipeline: int) -> list[int]:
    """Micro batches of the steps to be run: all if they are few, else two sizes from which the rest follows."""
    return [wanted] if wanted <= 4 * pipeline else [2 * pipeline, 3 * pipeline]
