"""`snowcoder config check`: whether the config is valid; every problem in one report."""

from __future__ import annotations

from snowcoder.config.schema import Config


def run(config: Config) -> None:
    """Say that the config is valid; an invalid one never comes this far."""
    phases = ", ".join(config.run.phases or config.phases)
    print(f"the config is valid: {phases} on {config.parallel.world_size} rank(s), results in {config.run.dir}")
