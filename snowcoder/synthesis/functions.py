"""Documented Python functions that could be a task: the seeds of SelfCodeAlign (Wei et al., 2024).

Its static rules are applied (seed_gathering/generate_from_the_stack.py and filter_dataset.py). What it does besides is
not: imports are not completed, Pyright does not run, and no model judges the docstring.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Query, QueryCursor

_LINES = 150
_WORDS = ("todo", "fixme", "bug")
_MODULES = ("argparse", "os", "subprocess", "sys", "setuptools", "distutils", "matplotlib", "seaborn")
_UNWANTED = re.compile("|".join([*_WORDS, *(rf"(?:import|from) {module}" for module in _MODULES)]))
_NO_ARGUMENTS = re.compile(r"def \w+\(\s*\)")
_QUERY = """
(module (function_definition
    body: (block . (expression_statement (string) @docstring))) @function)
"""


def functions(source: str) -> list[str]:
    """Top-level functions with a docstring that return a value, in their order."""
    data = source.encode(errors="replace")
    parser, query = _grammar()
    matches = QueryCursor(query).matches(parser.parse(data).root_node)
    found = [nodes["function"][0] for _, nodes in matches if _text(data, nodes["docstring"][0]).startswith('"""')]
    return [text for node in found if _is_wanted(text := _text(data, node)) and _returns_a_value(node)]


@functools.cache
def _grammar() -> tuple[Parser, Query]:
    language = Language(tree_sitter_python.language())
    return Parser(language), Query(language, _QUERY)


def _text(data: bytes, node: Node) -> str:
    return data[node.start_byte : node.end_byte].decode(errors="replace")


def _is_wanted(text: str) -> bool:
    lowered = text.lower()
    return not (_UNWANTED.search(lowered) or _NO_ARGUMENTS.match(text) or text.count("\n") >= _LINES)


def _returns_a_value(function: Node) -> bool:
    return any(node.type == "return_statement" and node.named_child_count for node in _inside(function))


def _inside(function: Node) -> Iterator[Node]:
    """The nodes of a function, not of those it defines."""
    waiting = list(function.children)
    while waiting:
        node = waiting.pop()
        yield node
        if node.type not in ("function_definition", "class_definition", "lambda"):
            waiting += node.children
