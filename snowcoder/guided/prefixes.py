"""Parsers that know whether a text begins a program: none of its words is one too many, whatever follows.

Python's own says "incomplete input" where its first error is the end of the text (flags of `codeop`; the same answers
from 3.11 to 3.13). tree-sitter repairs what is wrong in ways that hide where it was; but its log says at which word
every reading of the text had failed before it did. It takes a keyword for a name where it fits no other way.
"""

from __future__ import annotations

import ast
import functools
import importlib
import warnings
from typing import Protocol

from tree_sitter import Language, LogType, Node, Parser, Tree

_DONT_IMPLY_DEDENT, _ALLOW_INCOMPLETE_INPUT = 0x200, 0x4000  # as codeop has them
_INCOMPLETE = ast.PyCF_ONLY_AST | _DONT_IMPLY_DEDENT | _ALLOW_INCOMPLETE_INPUT
_TREES = {  # language -> module of tree-sitter's grammar, and its function
    "python": ("tree_sitter_python", "language"),
    "java": ("tree_sitter_java", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
}
_BODIES = {"block", "class_body", "interface_body", "module", "program", "statement_block"}


class PrefixParser(Protocol):
    def start(self, given: str) -> bool:
        """All texts from now on begin with `given`. Whether it begins a program itself."""

    def begins(self, text: str) -> bool:
        """Whether a program can begin with it."""

    def errors(self, text: str) -> int:
        """Places in a whole text that are wrong."""


class PythonPrefixes:
    def start(self, given: str) -> bool:
        return self.begins(given)

    def begins(self, text: str) -> bool:
        """In the middle of a line, a line that goes on behind a backslash keeps its end from being one."""
        code = text.rstrip(" \t")
        if not code.endswith("\n"):
            code = code.removesuffix("\\") + " \\\n"
        try:
            _compile(code, _INCOMPLETE)
        except SyntaxError as error:
            return "incomplete input" in str(error.msg)
        except ValueError:  # a null character
            return False
        except (MemoryError, RecursionError):  # too deep: nothing is known
            return True
        return True

    def errors(self, text: str) -> int:
        try:
            _compile(text, 0)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return 1
        return 0


def _compile(text: str, flags: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile(text, "gap", "exec", flags=flags, dont_inherit=True)


class TreePrefixes:
    """Parses again only what differs from `given`."""

    def __init__(self, language: str) -> None:
        self.logged, self.plain = Parser(_grammar(language)), Parser(_grammar(language))
        self.logged.logger = self._log
        self._tree: Tree | None = None
        self._given = b""

    def start(self, given: str) -> bool:
        self._given = given.encode(errors="replace")
        self._tree = self.plain.parse(self._given)
        return self._begins(self._given)

    def begins(self, text: str) -> bool:
        code = text.encode(errors="replace")
        assert self._tree is not None
        tree, old, new = self._tree.copy(), len(self._given), len(code)
        tree.edit(old, old, new, _point(self._given), _point(self._given), _point(code))
        return self._begins(code, tree)

    def errors(self, text: str) -> int:
        return _errors(self.plain.parse(text.encode(errors="replace")).root_node)

    def _begins(self, code: bytes, old: Tree | None = None) -> bool:
        self._has_failed = self._has_ended = False
        self.logged.parse(code, old) if old else self.logged.parse(code)
        return self._has_ended or not self._has_failed

    def _log(self, kind: LogType, message: str) -> None:
        """Until every reading has failed, and the parser resumes one."""
        if kind == LogType.PARSE and not self._has_failed:
            self._has_ended |= message == "detect_error lookahead:end"
            self._has_failed = message.startswith("resume")


def _errors(node: Node) -> int:
    if not node.has_error:
        return 0
    return int(node.is_error or node.is_missing) + sum(_errors(child) for child in node.children)


def _point(code: bytes) -> tuple[int, int]:
    return code.count(b"\n"), len(code) - code.rfind(b"\n") - 1


def prefixes_of(language: str) -> PrefixParser | None:
    if language not in _TREES:
        return None
    return PythonPrefixes() if language == "python" else TreePrefixes(language)


def without_neighbours(language: str, given: str, rest: str) -> str:
    """`given` without whole statements and members around which the gap behind it is not, which only take time. The
    last one of each body stays: what follows may belong to it."""
    code = given.encode(errors="replace")
    node: Node | None = Parser(_grammar(language)).parse(code + rest.encode(errors="replace")).root_node
    cuts: list[tuple[int, int]] = []
    while node is not None:
        before = [child for child in node.named_children if child.end_byte <= len(code)]
        if node.type in _BODIES and len(before) > 1:
            cuts.append((before[0].start_byte, before[-1].start_byte))
        node = next((child for child in node.children if child.start_byte < len(code) < child.end_byte), None)
    for start, end in reversed(cuts):
        code = code[:start] + code[end:]
    return code.decode()


@functools.cache
def _grammar(language: str) -> Language:
    module, function = _TREES[language]
    return Language(getattr(importlib.import_module(module), function)())
