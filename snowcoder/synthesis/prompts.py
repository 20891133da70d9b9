"""Prompts and few-shot examples: files of conf/synthesis, so that changing one needs no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import yaml

from snowcoder.config.compose import conf_dirs, conf_file
from snowcoder.errors import UserError
from snowcoder.storage.digest import digest_bytes

_ROLES = ("system", "user")  # blocks of a prompt's file, each a message; an assistant's would be the answer


class Prompt:
    def __init__(self, name: str) -> None:
        """Raises UserError where there is no such prompt, or none that can be read."""
        path = _file("prompts", f"{name}.jinja")
        try:
            text = path.read_text()
            self._template = _environment().from_string(text)
        except FileNotFoundError:
            raise UserError(f"{path} is not there: a step's prompt is one of {_names('prompts')}") from None
        except jinja2.TemplateError as error:
            raise UserError(f"{path}: {error}") from None
        if "user" not in self._template.blocks:
            raise UserError(f"{path}: has no {{% block user %}}")
        self.name, self.digest = name, digest_bytes(text.encode())

    def messages(self, fields: dict[str, Any]) -> list[dict[str, str]]:
        """Raises UserError where the prompt needs a field that the sample does not have."""
        blocks = {role: self._template.blocks[role] for role in _ROLES if role in self._template.blocks}
        try:
            context = self._template.new_context(fields)
            return [{"role": role, "content": "".join(block(context))} for role, block in blocks.items()]
        except jinja2.UndefinedError as error:
            raise UserError(f"prompt {self.name}: {error}; there are {', '.join(sorted(fields))}") from None


def render_text(text: str, fields: dict[str, Any]) -> str:
    """Of a recipe's own short template. Raises UserError where it needs a field that the sample does not have."""
    try:
        return _environment().from_string(text).render(fields)
    except jinja2.TemplateError as error:
        raise UserError(f"synthesis.chat: {text!r}: {error}; there are {', '.join(sorted(fields))}") from None


def read_examples(name: str) -> list[dict[str, Any]]:
    path = _file("examples", f"{name}.yaml")
    try:
        examples = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} is not there: synthesis.examples is one of {_names('examples')}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {error}") from None
    if not isinstance(examples, list) or not all(isinstance(each, dict) for each in examples):
        raise UserError(f"{path}: must be a list of examples, each with fields")
    return examples


def _environment() -> jinja2.Environment:
    return jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # of prompts, not of pages


def _file(kind: str, name: str) -> Path:
    return conf_file(f"synthesis/{kind}/{name}")


def _names(kind: str) -> str:
    folders = [folder / "synthesis" / kind for folder in conf_dirs()]
    found = (path.relative_to(folder) for folder in folders for path in folder.rglob("*.*"))
    return ", ".join(sorted(str(path.with_suffix("")) for path in found))
