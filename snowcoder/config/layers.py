"""The files of conf/ that a config is composed of, and which of them sets a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from snowcoder.config.compose import conf_dir, conf_file, groups, hydra_arguments, search_path


class Layer(NamedTuple):
    name: str  # of its file in conf/, without the suffix: group/choice
    package: list[str]  # the key below which its content is put
    chosen: bool  # it was, and not drawn in by another one's `defaults`

    def path(self) -> Path:
        return conf_file(f"{self.name}.yaml")

    def get(self, key: list[str]) -> Any:
        """What the file has for a key, before references are followed. Raises KeyError where it has nothing."""
        if key[: len(self.package)] != self.package:
            raise KeyError(key)
        found = yaml.safe_load(self.path().read_text())
        for name in key[len(self.package) :]:
            if not isinstance(found, dict):
                break  # null, or a reference: what is below is set with it
            found = found[name]
        return found


def layers(overrides: list[str]) -> list[Layer]:
    """All files, in the order in which a later one overrules. The overrides must be valid."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        arguments = [*search_path(), *hydra_arguments(overrides, [])]
        found = loader.compute_defaults_list("config", arguments, RunMode.RUN).defaults
    return [
        Layer(each.config_path, each.package.split(".") if each.package else [], each.parent in ("config", "<root>"))
        for each in found
        if each.config_path and not each.config_path.startswith("hydra/")
    ]


def origin(key: str, overrides: list[str], used: list[Layer]) -> tuple[str, Any]:
    """Where a key is set: the override or the file, and what is written there. `used`: the overrides' layers."""
    path = key.split(".")
    for text in reversed(overrides):
        name, _, value = text.lstrip("+~").partition("=")
        name = "run.phases" if name == "phase" else name
        if f"{key}.".startswith(f"{name}.") and name not in groups():
            return f"the command line, {text}", value
    for layer in reversed(used):
        try:
            return _shown(layer.path()), layer.get(path)
        except KeyError:
            pass
    return "the schema, for no file sets it", None


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
