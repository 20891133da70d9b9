"""`snowcoder completion SHELL`: a script that completes verbs, groups with their presets, and keys, in bash or zsh.

It holds all words but the presets, so that a TAB starts no Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from snowcoder.config import tree
from snowcoder.config.compose import conf_dir, known_keys
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.verbs import VERBS

# zsh runs completions that are written for bash.
_HEADS = {
    "bash": "",
    "zsh": "autoload -Uz compinit bashcompinit\n(( $+functions[compdef] )) || compinit\nbashcompinit\n",
}


def run(config: Config, shell: str) -> None:
    """Print the script. The names of phases and sources are those of the config. Raises UserError for other shells."""
    if shell not in _HEADS:
        raise UserError(f"{shell}: not a shell that is known here; allowed: {', '.join(_HEADS)}")
    script = Path(__file__).with_name("completion.bash").read_text()
    of_folders = [name for name, verb in VERBS.items() if verb.reads == "folder"]
    words = {"VERBS": [*VERBS, "help"], "OF_FOLDERS": of_folders, "KEYS": [*_keys(config)], "CONF": [str(conf_dir())]}
    for name, lines in words.items():
        script = script.replace(f"@{name}@", "\n".join(lines).replace("'", r"'\''"))
    print(_HEADS[shell] + script, end="")


def _keys(config: Config) -> Iterator[str]:
    """`key=`, or `key=value ` for each value where these are few; in order, with what begins alike together."""
    known = sorted(known_keys(config.model_dump(mode="json")))
    sections = {key.rpartition(".")[0] for key in known}
    for key in known:
        node = tree.find_node(key)
        if node and key not in sections and not tree.is_section(node):
            yield from (f"{key}={value} " for value in _values(node)) if _values(node) else [f"{key}="]


def _values(node: tree.Node) -> list[str]:
    return ["false", "true"] if node.get("type") == "boolean" else node.get("enum", [])
