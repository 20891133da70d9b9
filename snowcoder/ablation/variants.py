"""The variants of an ablation: for each a folder, the composed config and the commands that make it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError

EVALUATION = "evaluation"  # below the ablation's folder


class Variant(NamedTuple):
    name: str
    folder: Path
    config: Config
    commands: list[list[str]]  # arguments of `snowcoder`
    paper: dict[str, float]


def make_variants(overrides: list[str]) -> tuple[Config, list[Variant]]:
    """The config that the variants depart from, and them. Raises one UserError about all that cannot be composed."""
    config, variants, problems = load_config(overrides), [], []
    if config.ablation is None:
        raise UserError(
            "which one? ablation=schedule, repetitions, grouping, selection or synthetic: the files of conf/ablation"
        )
    for name in config.ablation.variants:
        try:
            variants.append(_variant(config, name, overrides))
        except UserError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise UserError(f"ablation={config.ablation.name}:\n" + "\n".join(problems))
    return config, variants


def folder_of(config: Config) -> Path:
    assert config.ablation
    return Path(config.run.dir) / "ablations" / config.ablation.name


def comparison(config: Config, variants: list[Variant], overrides: list[str]) -> list[list[str]]:
    """Arguments of the command that evaluates the variants' models, if the ablation has a baseline that was made."""
    assert config.ablation
    baseline = config.ablation.baseline
    if baseline not in [variant.name for variant in variants]:
        return []
    models = [f"+evaluation.models.{variant.name}={variant.config.export.dir}" for variant in variants]
    own = [f"evaluation.dir={folder_of(config)}/{EVALUATION}", f"evaluation.baseline={baseline}"]
    return [["evaluate", *_users(overrides), *models, *own]]


def _variant(config: Config, name: str, overrides: list[str]) -> Variant:
    """Its overrides come after the user's, who decides the recipe and the sizes."""
    assert config.ablation
    variant, folder = config.ablation.variants[name], folder_of(config) / name
    users = [text for text in _users(overrides) if re.match(r"run\.dir\b", text) is None]
    own = [text.replace("{folder}", str(folder)) for text in (*config.ablation.shared, *variant.overrides)]
    every = [*users, *own, f"run.dir={folder}"]
    commands = [[*stage.split(), *every] for stage in config.ablation.stages]
    return Variant(name, folder, load_config(every), commands, variant.paper)


def _users(overrides: list[str]) -> list[str]:
    """Without the choice of the ablation, of which a stage need not know."""
    return [text for text in overrides if re.match(r"[~+]*ablation\b", text) is None]
