"""The page of all keys, made of the schema and conf/.

`python -m snowcoder.config.reference > docs/configuration.md`
"""

from __future__ import annotations

from typing import Any

from snowcoder.config import tree
from snowcoder.config.compose import as_written, groups, options
from snowcoder.config.presets import OTHERS, meaning_of
from snowcoder.config.values import value_of, value_text

_HEAD = f"""# Configuration

Every key of `conf/`. Made from the schema: `python -m snowcoder.config.reference > docs/configuration.md`.
Set a key on the command line (`optimizer.lr=3e-4`) or in a recipe; choose a preset by `group=preset`.
`snowcoder config explain KEY` prints what is here about a key, its value in your config and the file that sets it.
{tree.NAME} stands for names of your own, such as those of phases and sources. Values are those of `recipe=arctic`."""


def page() -> str:
    values = as_written()
    parts = [_HEAD, *(_group(name, node, values) for name, node in tree.below(tree.root()).items())]
    parts += [f"## {name}\n\n{text}\n{_presets(name)}" for name, text in OTHERS.items()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _group(name: str, node: tree.Node, values: dict[str, Any]) -> str:
    rows = [_row(key, each, values) for key, each in tree.walk(node, name)]
    table = ["| key | allowed | value | meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([f"## {name}", "", tree.meaning(node), _presets(name), *table])


def _presets(group: str) -> str:
    if group not in groups():
        return ""
    lines = [f"- `{group}={name}`  {meaning_of(group, name)}".rstrip() for name in options(group)]
    return "\n".join(["", *lines, ""])


def _row(key: str, node: tree.Node, values: dict[str, Any]) -> str:
    cells = [f"`{key}`", "", "", tree.meaning(node)]
    if not tree.is_section(node):
        value = value_of(key, values)
        if isinstance(value, KeyError):  # of a table's names, or not in conf/
            value = node.get("default", value)
        cells[1:3] = tree.allowed(node), "" if isinstance(value, KeyError) else f"`{value_text(value)}`"
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


if __name__ == "__main__":
    print(page(), end="")
