"""`snowcoder config show`: the composed config, as workers would read it."""

from __future__ import annotations

from snowcoder.config.frozen import to_yaml
from snowcoder.config.schema import Config


def run(config: Config) -> None:
    """Print the config as workers would read it."""
    print(to_yaml(config), end="")
