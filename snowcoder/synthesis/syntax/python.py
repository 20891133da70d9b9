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
    try:
        older = _older(tree).decode(errors="replace")
    except RecursionError:  # strings within strings
        return False
    before = code[: len(code) - len(code.lstrip())]  # is not in the tree
    return older != (tree.text or b"").decode(errors="replace") and _compiles(before + older)


def _older(node: Node) -> bytes:
    """The text of a node, with something older in each place of newer syntax."""
    text, parts, end = node.text or b"", [], node.start_byte
    for each, instead in _new(node):
        parts += [text[end - node.start_byte : each.start_byte - node.start_byte], instead]
        end = each.end_byte
    return b"".join([*parts, text[end - node.start_byte :]])


def _new(root: Node) -> Iterator[tuple[Node, bytes]]:
    """Each place of newer syntax, in order, and what takes its place."""
    todo = [root]
    while todo:
        node = todo.pop()
        if (
            node.type == "type_parameter"
            and node.parent
            and node.parent.type in ("function_definition", "class_definition")
        ):
            yield node, b""  # PEP 695: def f[T](x: T), class A[T]
        elif node.type == "type_alias_statement":
            yield node, b"pass"  # PEP 695: type A = int
        elif node.type in ("string", "concatenated_string") and (fields := _fields(node)):
            if not _compiles(f"({(node.text or b'').decode(errors='replace')}\n)"):
                yield node, _set_of(fields)  # PEP 701: f"{a["b"]}"; PEP 750: t"{a}"
        else:
            todo += reversed(node.children)


def _fields(node: Node) -> list[Node]:
    """The replacement fields of a string, also those in the formats of others."""
    found = []
    for child in node.children:
        if child.type in ("interpolation", "format_expression"):
            found.append(child)
        if child.type in ("string", "interpolation", "format_expression", "format_specifier"):
            found += _fields(child) if child.type != "string" or node.type == "concatenated_string" else []
    return found


def _set_of(fields: list[Node]) -> bytes:
    """What holds their expressions where a string may stand, and where none may stand is as wrong as a string."""
    return b"{'', " + b", ".join(_value(field) for field in fields) + b"}"


def _value(field: Node) -> bytes:
    conversion, value = _child(field, "type_conversion"), field.child_by_field_name("expression")
    known = conversion is None or conversion.text in (b"!r", b"!s", b"!a")
    return b"(" + _older(value) + b"\n)" if value and known and not _is_lambda(value) else b"!"  # that is no Python


def _child(node: Node, kind: str) -> Node | None:
    return next((child for child in node.children if child.type == kind), None)


def _is_lambda(node: Node) -> bool:
    """Whether a lambda stands outside of all brackets: Python takes its colon for a format's."""
    if node.type == "lambda":
        return True
    return (
        node.children[:1] != []
        and not _child(node, "(")
        and not _child(node, "[")
        and any(
            _is_lambda(child)
            for child in node.children
            if child.type not in ("argument_list", "string", "dictionary", "set")
        )
    )
