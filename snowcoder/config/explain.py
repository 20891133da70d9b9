"""`snowcoder config explain [KEY]`: what a group or a key of the config means, what is allowed, and its value."""

from __future__ import annotations

import textwrap
from itertools import accumulate
from typing import Any

from snowcoder.config import tree
from snowcoder.config.compose import groups, known_keys, load_config, options
from snowcoder.config.layers import Layer, layers, origin
from snowcoder.config.presets import OTHERS, meaning_of
from snowcoder.config.values import value_of, value_text
from snowcoder.errors import UserError, did_you_mean
from snowcoder.readable import first_sentence

_WIDTH = 110
_VALUE = 24  # characters of a value in a list of keys


def run(overrides: list[str], key: str = "") -> None:
    """Explain a key, a group of keys with its presets, or without any list the groups.

    The values are those under the overrides. Raises UserError where there is no such key.
    """
    values = load_config(overrides).model_dump(mode="json")
    print("\n".join(explain(key, values, overrides, layers(overrides)) if key else _list_groups()))


def _list_groups() -> list[str]:
    sections = {name: first_sentence(tree.meaning(node)) for name, node in tree.below(tree.root()).items()}
    lines = [f"  {name:<17}{text}{_presets_of(name)}" for name, text in (sections | OTHERS).items()]
    return [*lines, "", "`snowcoder config explain KEY` explains a group, or a key such as optimizer.lr."]


def _presets_of(group: str) -> str:
    return f" Presets: {', '.join(options(group))}." if group in groups() else ""


def explain(key: str, values: dict[str, Any], overrides: list[str], used: list[Layer]) -> list[str]:
    """The lines about a key of a config with these values, which comes of the overrides and of the files `used`."""
    if key in OTHERS:
        return [*_paragraph(f"{key}: {OTHERS[key]}"), *_presets(key, used)]
    node, value = tree.find_node(key), value_of(key, values)
    if node is None or isinstance(value, KeyError):
        raise UserError(
            f"{key}: is no key of the config{_near(key, values)}; `snowcoder config explain` lists the groups"
        )
    lines = _paragraph(f"{key}: {tree.meaning(node)}")
    if not tree.is_section(node):
        return [*lines, f"  allowed: {tree.allowed(node)}", *_set(value, *origin(key, overrides, used))]
    return [*lines, *_keys(key, node, value), *(_presets(key, used) if key in groups() else [])]


def _near(key: str, values: dict[str, Any]) -> str:
    known = known_keys(values)
    known += [name for each in known for name in accumulate(each.split("."), "{}.{}".format)] + groups()
    alike = [name for name in known if name.endswith(f".{key}")]
    return f" (did you mean {alike[0]}?)" if alike else did_you_mean(key, known)


def _set(value: Any, place: str, written: Any) -> list[str]:
    reference = f" = {written}" if isinstance(written, str) and "${" in written else ""
    return [f"  value:   {value_text(value)}{reference}", f"  set by:  {place}"]


def _keys(key: str, node: tree.Node, value: Any) -> list[str]:
    """A line for each key of a section; a table is listed by the names it has."""
    keys = tree.below(node)
    names = list(value or {}) if tree.NAME in keys else list(keys)
    rows = [(f"{key}.{name}", keys.get(name, keys.get(tree.NAME, {})), (value or {}).get(name)) for name in names]
    width = max((len(name) for name, _, _ in rows), default=0)
    lines = [
        (f"  {name:<{width}}  {_short(each, held)}", first_sentence(tree.meaning(each))) for name, each, held in rows
    ]
    return ["", *("  ".join(line).rstrip() for line in lines)]


def _short(node: tree.Node, value: Any) -> str:
    text = "..." if value and tree.is_section(node) else value_text(value)
    return f"{text if len(text) <= _VALUE else text[: _VALUE - 3] + '...':<{_VALUE}}"


def _presets(group: str, used: list[Layer]) -> list[str]:
    """The choices of a group, with * at those that are made."""
    chosen = {layer.name for layer in used if layer.chosen}
    rows = [(name, "*" if f"{group}/{name}" in chosen else " ", meaning_of(group, name)) for name in options(group)]
    width = max(len(name) for name, _, _ in rows)
    return [
        "",
        f"  presets ({group}=...):",
        *(f"  {star} {name:<{width}}  {text}".rstrip() for name, star, text in rows),
    ]


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text.strip(), _WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
