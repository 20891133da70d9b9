"""`snowcoder config show`."""

from __future__ import annotations

from snowcoder.config.compose import to_yaml
from snowcoder.config.schema import Config


def run(config: Config) -> None:
    """Print the config as workers would read it."""
    print(to_yaml(config), end="")
