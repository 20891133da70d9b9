"""A config as YAML, and back: what ranks read, without Hydra, to import which takes a fifth of a second."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from snowcoder.config.schema import Config
from snowcoder.errors import UserError


def read_config(path: Path) -> Config:
    """Read back a frozen `resolved.yaml`."""
    try:
        return Config.model_validate(yaml.safe_load(path.read_text()))
    except FileNotFoundError:
        raise UserError(f"{path} is not there: `snowcoder train` writes it") from None
    except (yaml.YAMLError, ValidationError) as error:
        raise UserError(f"{path} is not a frozen config of this version: {error}") from None


def to_yaml(config: Config) -> str:
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
