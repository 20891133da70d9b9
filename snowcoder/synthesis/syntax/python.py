"""Whether code is Python 3, by the parser and compiler of the Python that runs this."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from tree_sitter import Node

from snowcoder.synthesis.syntax.trees import tree_of


def is_python(code: str) -> bool:
    """Of this version of Python or of a newer one. It is compiled, which finds a `return` outside of a function, and
    never run."""
    code = code.removeprefix("\ufeff")
    return _compiles(code) or _is_newer(code)


def _compiles(code: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes and comparisons; some Pythons are told to raise them
        try:
            compile(code, "<code>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the latter two: nested too deep for Python
            return False
    return True


def _is_newer(code: str) -> bool:
    """Whether it compiles once written as older Pythons have it, and tree-sitter knows what is new in it."""
    tree = tree_of(code, "Python")
    if tree.has_error:
        return False
    source, end, parts = code.encode(errors="replace"), 0, []
    for start, stop, text in _new(tree):
        parts += [source[end:start], text]
        end = stop
    return bool(parts) and _compiles(b"".join([*parts, source[end:]]).decode(errors="replace"))


def _new(root: Node) -> Iterator[tuple[int, int, bytes]]:
    """Each place of newer syntax, in order: where it starts and ends, and what takes its place."""
    todo = [root]
    while todo:
        node = todo.pop()
        if (
            node.type == "type_parameter"
            and node.parent
            and node.parent.type in ("function_definition", "class_definition")
        ):
            yield node.start_byte, node.end_byte, b""  # PEP 695: def f[T](x: T), class A[T]
        elif node.type == "type_alias_statement":
            yield node.start_byte, node.end_byte, b"pass"  # PEP 695: type A = int
        elif node.type == "string" and any(child.type == "interpolation" for child in node.children):
            yield node.start_byte, node.end_byte, b"''"  # PEP 701: f"{a["b"]}"; PEP 750: t"{a}"
        else:
            todo += reversed(node.children)
