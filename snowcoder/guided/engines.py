"""Completion engines: how a stock language server is started, and what its replies say of the names at a place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from snowcoder.guided.language_server import LanguageServer, Reply
from snowcoder.guided.places import NAME, PYTHON, Syntax


class Engine(NamedTuple):
    language: Syntax
    ending: str  # of a file's name
    command: Callable[[], list[str]]
    settings: Mapping[str, Any]
    names_of: Callable[[Reply, str], frozenset[str] | None]  # of a reply, and the text before the place

    def start(self, root: Path, log: Path) -> LanguageServer:
        return LanguageServer(self.command(), root, self.language.name, self.settings, log)


def _pyrefly_names(reply: Reply, before: str) -> frozenset[str] | None:
    """None where the list says nothing: an empty one at a dot is of an unknown receiver.

    A parameter whose default is None has no members but those of None, which all begin with two underscores; and where
    the next lines make no sense behind this one, members are not told from other names, nor from keywords.
    """
    names = frozenset(_first_names(reply))
    if not names:
        return None
    if before.endswith(".") and ("lambda" in names or all(name.startswith("__") for name in names)):
        return None
    return names


def _first_names(reply: Reply) -> Iterator[str]:
    for item in reply.items:
        found = NAME.match(written(item))
        if found:
            yield found[0]


def written(item: Mapping[str, Any]) -> str:
    """What an item would write."""
    edit = item.get("textEdit") or {}
    return str(edit.get("newText") or item.get("textEditText") or item.get("insertText") or item["label"])


PYREFLY = Engine(
    PYTHON,
    ".py",
    lambda: [str(Path(sys.executable).with_name("pyrefly")), "lsp"],
    {"python": {"pyrefly": {"displayTypeErrors": "force-off"}}},
    _pyrefly_names,
)
ENGINES = {engine.language.name: engine for engine in (PYREFLY,)}
