"""Whether code parses, by tree-sitter, in all of the paper's languages but notebooks."""

from __future__ import annotations

import functools
import importlib

from tree_sitter import Language, Parser

from snowcoder.corpus.grouping.grammars import grammar_of

_MODULES = {"Shell": "bash", "SQL": "sql", "Swift": "swift", "Dart": "dart"}  # those whose imports nobody reads


def parses(code: str, language: str) -> bool | None:
    """None for a language without a grammar."""
    parser = _parser(language)
    if parser is None:
        return None
    return not parser.parse(code.encode(errors="replace")).root_node.has_error


@functools.cache
def _parser(language: str) -> Parser | None:
    if language in _MODULES:
        return Parser(Language(importlib.import_module(f"tree_sitter_{_MODULES[language]}").language()))
    grammar = grammar_of(language)
    return grammar.parser if grammar else None
