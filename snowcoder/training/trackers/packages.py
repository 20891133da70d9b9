"""The packages that `logging` asks for. Needs no torch."""

from __future__ import annotations

import importlib.util

from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.packages import install_command, package_of

_OPTIONAL = {"wandb": "wandb", "mlflow": "mlflow", "prometheus": "prometheus_client"}  # key of logging -> module


def missing_packages(config: Config) -> list[str]:
    """What `logging` asks for and this Python does not have, as sentences. Needs no torch."""
    wanted = {name: (module, getattr(config.logging, name)) for name, module in _OPTIONAL.items()}
    return [
        f"logging.{name}={value}: the package {package_of(module)} is not installed; "
        f"`{install_command(package_of(module))}`"
        for name, (module, value) in wanted.items()
        if value and not _has(module)
    ]


def check_packages(config: Config) -> None:
    if missing := missing_packages(config):
        raise UserError("; ".join(missing))


def _has(module: str) -> bool:
    """A folder of that name, as W&B leaves one in the working directory, is no package."""
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None
