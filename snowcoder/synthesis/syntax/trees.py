"""Trees of tree-sitter."""

from __future__ import annotations

import functools
import importlib

from tree_sitter import Language, Node, Parser

from snowcoder.corpus.grouping.grammars import grammar_of

_MODULES = {  # of languages whose imports nobody reads, and of PHP as it is after an opening tag
    "Dart": ("dart", "language"),
    "PHP without tags": ("php", "language_php_only"),
    "SQL": ("sql", "language"),
    "Shell": ("bash", "language"),
    "Swift": ("swift", "language"),
}


def is_clean(code: str, grammar: str) -> bool:
    return not tree_of(code, grammar).has_error


def tree_of(code: str, grammar: str) -> Node:
    return _parser(grammar).parse(code.encode(errors="replace")).root_node


@functools.cache
def _parser(grammar: str) -> Parser:
    if grammar in _MODULES:
        module, function = _MODULES[grammar]
        return Parser(Language(getattr(importlib.import_module(f"tree_sitter_{module}"), function)()))
    known = grammar_of(grammar)
    assert known, grammar
    return known.parser
