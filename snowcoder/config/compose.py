"""Compose conf/ and the command line into one validated `Config`, reporting all problems at once."""

from __future__ import annotations

import os
import re
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError

from snowcoder.config.rules import cross_check
from snowcoder.config.schema import Config
from snowcoder.errors import UserError, did_you_mean
from snowcoder.shipped import shipped

# Hydra has no arithmetic; a recipe's budgets are parts of one another.
OmegaConf.register_new_resolver("times", lambda number, factor: number * factor, replace=True)


def conf_dir() -> Path:
    """The folder with config.yaml and the presets: SNOWCODER_CONF or ./conf if it has them, or else the shipped one."""
    own, ours = _own_conf(), shipped("conf")
    return own if (own / "config.yaml").is_file() else ours


def conf_dirs() -> list[Path]:
    """Where presets lie: `conf_dir()`, and SNOWCODER_CONF or ./conf, which may add some to those that ship.

    Raises UserError where one of these has the name of another, for then nobody could tell which is meant.
    """
    own, ours = _own_conf(), conf_dir()
    if own == ours or not any((own / group.name).is_dir() for group in ours.iterdir() if group.is_dir()):
        return [ours]
    if twice := [str(path) for path in sorted(own.glob("*/*.yaml")) if (ours / path.relative_to(own)).exists()]:
        raise UserError(f"snowcoder has presets of these names: rename {', '.join(twice)}")
    return [ours, own]


def conf_file(name: str) -> Path:
    """A file or folder below conf/; where there is none, as it would be called among those that ship."""
    places = [folder / name for folder in conf_dirs()]
    return next((path for path in places if path.exists()), places[0])


def search_path() -> list[str]:
    """As an override for Hydra: the folders besides `conf_dir()`."""
    return [f"hydra.searchpath=['file://{folder}']" for folder in conf_dirs()[1:]]


def _own_conf() -> Path:
    return Path(os.environ.get("SNOWCODER_CONF") or "conf").resolve()


def load_config(overrides: list[str]) -> Config:
    """Compose, validate and cross-check. Raises `UserError` naming every problem found."""
    problems: list[str] = []
    raw = _compose(overrides, problems)
    config = None if raw is None else _validate(raw, problems)
    if config is not None:
        problems += cross_check(config)
    if config is None or problems:
        lines = "\n".join(f"  {n}. {text}" for n, text in enumerate(problems, 1))
        raise UserError(f"the config has {len(problems)} problem(s):\n{lines}")
    return config


def groups() -> list[str]:
    """Folders of conf/: `group=choice` takes one of their files."""
    return sorted({path.name for folder in conf_dirs() for path in folder.iterdir() if path.is_dir()})


def options(group: str) -> list[str]:
    """What may be chosen of a group."""
    return sorted(path.stem for folder in conf_dirs() for path in (folder / group).glob("*.yaml"))


def hydra_arguments(overrides: list[str], problems: list[str]) -> list[str]:
    """The overrides as Hydra is given them; `problems` gets what is wrong with the others."""
    return [fixed for text in overrides if (fixed := _override(text, problems))]


def _compose(overrides: list[str], problems: list[str]) -> dict[str, Any] | None:
    arguments = hydra_arguments(overrides, problems)
    try:
        return _contents(arguments, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        problems.append(f"{conf_dir()}: {' '.join(str(error).split())}")
        return None


def as_written() -> dict[str, Any]:
    """What conf/ comes to, with its references (`${run.dir}/plan`) as they are."""
    return _contents([], resolve=False)


def _contents(arguments: list[str], resolve: bool) -> dict[str, Any]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        composed: DictConfig = compose("config", [*search_path(), *arguments])
    contents = OmegaConf.to_container(composed, resolve=resolve)
    assert isinstance(contents, dict)
    return {str(key): value for key, value in contents.items()}


def _override(text: str, problems: list[str]) -> str | None:
    """Check one command-line override; returns what Hydra is given, or None if it is wrong."""
    try:
        override: Override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        reason = str(error).splitlines()[0]
        problems.append(f"{text!r} is not of the form key=value: {reason}")
        return None
    key, value = override.key_or_group, override.value()
    if key == "phase":
        return _phase_choice(value, problems)
    if conf_file(key).is_dir():
        return _group_choice(text, key, value, problems)
    # Forced (++), so that Hydra accepts any key: unknown ones are found by the schema, all together.
    return text if override.is_delete() else "++" + text.lstrip("+")


def _group_choice(text: str, key: str, value: Any, problems: list[str]) -> str | None:
    allowed = options(key)
    if value in allowed:
        return text.lstrip("+")
    problems.append(
        f"{key}={value}: no such choice{did_you_mean(str(value), allowed)}; {key} is one of {', '.join(allowed)}"
    )
    return None


def _phase_choice(value: Any, problems: list[str]) -> str | None:
    """`phase=phase2` picks what a run executes; the recipe keeps all phases (see conf/config.yaml)."""
    names = value if isinstance(value, list) else [value]
    allowed = options("phase")
    for name in names:
        if name not in allowed:
            problems.append(
                f"phase={name}: no such choice{did_you_mean(str(name), allowed)}; "
                f"phase is one or more of {', '.join(allowed)}"
            )
            return None
    return f"++run.phases=[{','.join(names)}]"


def _validate(raw: dict[str, Any], problems: list[str]) -> Config | None:
    try:
        return Config.model_validate(raw)
    except ValidationError as invalid:
        errors: list[dict[str, Any]] = [dict(error) for error in invalid.errors()]
    problems += [_explain(error, raw) for error in errors]
    return _without(raw, [error["loc"][:-1] if error["type"] == "missing" else error["loc"] for error in errors])


def _without(raw: dict[str, Any], wrong: list[tuple[str | int, ...]]) -> Config | None:
    """The config with the wrong values as conf/ has them, so that the cross-checks can speak in the same report."""
    defaults = _compose([], [])
    for each in wrong:
        location = tuple(takewhile(lambda part: isinstance(part, str), each))  # a list is one value
        here: Any = raw
        there: Any = defaults
        for part in location[:-1]:
            here, there = here.get(part, {}), there.get(part, {}) if isinstance(there, dict) else {}
        here.pop(location[-1], None)
        if isinstance(there, dict) and location[-1] in there:
            here[location[-1]] = there[location[-1]]
    try:
        return Config.model_validate(raw)
    except ValidationError:
        return None


def _explain(error: dict[str, Any], raw: dict[str, Any]) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{did_you_mean(key, [*known_keys(raw), *groups()])}"
    if error["type"] == "missing":
        return f"{key}: has no value; conf/ or the command line must set it"
    return f"{key}={error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"


def known_keys(raw: dict[str, Any]) -> list[str]:
    """Dotted names of all keys the schema has; names of phases and sources are taken from `raw`."""
    return _keys(Config, raw, "")


def _keys(section: type[BaseModel], raw: Any, prefix: str) -> list[str]:
    names: list[str] = []
    for name, field in section.model_fields.items():
        below = raw.get(name) if isinstance(raw, dict) else None
        names.append(prefix + name)
        for kind in (field.annotation, *get_args(field.annotation)):
            if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
                continue
            if re.match(r"dict\[", str(field.annotation)):
                for entry, content in (below or {}).items():
                    names += _keys(kind, content, f"{prefix}{name}.{entry}.")
            else:
                names += _keys(kind, below, f"{prefix}{name}.")
    return names
