"""Configs for the ranks that export and import: fewer of them than train."""

from __future__ import annotations

from typing import Any

from snowcoder.config.schema import Config, ModelConfig, ParallelConfig, PrecisionConfig


def as_trained(config: Config, model: dict[str, Any], parallel: dict[str, Any], precision: dict[str, Any]) -> Config:
    """`config` with the model, layout and precision that a checkpoint was trained with."""
    recorded = {
        "model": ModelConfig(**model),
        "parallel": ParallelConfig(**parallel),
        "precision": PrecisionConfig(**precision),
    }
    return config.model_copy(update=recorded)


def one_replica(config: Config) -> Config:
    """The same tensor and pipeline layout, without data and context parallelism."""
    return _with(config, parallel={"data": 1, "context": 1, "overlap": False})


def one_rank(config: Config) -> Config:
    """One process on this machine that holds the whole model."""
    whole = {"tensor": 1, "sequence": False, "pipeline": 1, "virtual_stages": 1}
    return _with(one_replica(config), parallel=whole, launch={"kind": "local"}, precision={"fp8": "none"})


def in_fp32(config: Config) -> Config:
    return _with(config, precision={"dtype": "fp32", "fp8": "none"})


def _with(config: Config, **changes: dict[str, Any]) -> Config:
    sections = {name: getattr(config, name).model_copy(update=change) for name, change in changes.items()}
    return config.model_copy(update=sections)
