"""The imports that a source file states, read by tree-sitter: not those in comments or strings.

Files come from anybody. They are parsed, never run, and no file may take long: only the first 32 KiB are looked at,
and a parser gives up after a number of steps, not of seconds, so that the same files always give the same order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tree_sitter import QueryCursor, Tree

from snowcoder.corpus.document import Document
from snowcoder.corpus.grouping.grammars import Grammar, grammar_of

_HEAD = 32 << 10  # bytes; some parsers' time grows with the square of what they cannot make sense of
_STEPS = 1000  # each about 100 bytes of usual code
_BLANK = re.compile(r"\s+")
_QUOTED = re.compile(r"""(["'`])(.*)\1""")


class Import(NamedTuple):
    kind: str  # the capture in `grammars.py`
    target: str  # without white space and quotes
    name: str = ""


class FileImports(NamedTuple):
    """What a file says of itself and of others."""

    packages: list[str]
    imports: list[Import]


def read_imports(document: Document) -> FileImports:
    """Nothing for languages without a grammar and for files that the parser gives up on."""
    is_tsx = document.language == "TypeScript" and document.path.endswith(".tsx")
    grammar = grammar_of("TSX" if is_tsx else document.language)
    if grammar is None:
        return FileImports([], [])
    head = _head(document.content[:_HEAD].encode(errors="replace")[:_HEAD], grammar)
    tree = _parse(head, grammar) if head else None
    found = list(dict.fromkeys(_imports(tree, head, grammar))) if tree else []
    packages = [one.target for one in found if one.kind == "package"]
    return FileImports(packages, [one for one in found if one.kind != "package"])


def _head(source: bytes, grammar: Grammar) -> bytes:
    """Up to the line of the last import."""
    end = -1
    for match in grammar.statement.finditer(source):
        end = match.end()
    line = source.find(b"\n", end)
    return b"" if end < 0 else source if line < 0 else source[: line + 1]


def _parse(source: bytes, grammar: Grammar) -> Tree | None:
    steps = 0

    def is_too_long(_offset: int, _has_error: bool) -> bool:
        nonlocal steps
        steps += 1
        return steps > _STEPS

    try:
        return grammar.parser.parse(lambda offset, _: source[offset:], progress_callback=is_too_long)
    except ValueError:
        grammar.parser.reset()
        return None


def _imports(tree: Tree, source: bytes, grammar: Grammar) -> Iterator[Import]:
    for _, captures in QueryCursor(grammar.query).matches(tree.root_node):
        texts = {
            kind: _BLANK.sub(" ", source[nodes[0].start_byte : nodes[0].end_byte].decode(errors="replace"))
            for kind, nodes in captures.items()
        }
        name = texts.pop("name", "")
        for kind, text in texts.items():
            quoted = _QUOTED.fullmatch(text)
            yield Import(kind, quoted[2] if quoted else text, name)
