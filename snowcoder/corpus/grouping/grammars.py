"""How each language says what a file needs, and what the file is called by those that need it.

A query's captures are the kinds of `imports.Import`; @name is an import's second half.
"""

from __future__ import annotations

import functools
import importlib
import re
from typing import NamedTuple

from tree_sitter import Language, Parser, Query


class Grammar(NamedTuple):
    parser: Parser
    statement: re.Pattern[bytes]  # finds every import, and more: nothing after its last match is parsed
    query: Query


class _Rule(NamedTuple):
    module: str  # as tree_sitter_<module> of PyPI
    statement: bytes
    query: str
    function: str = "language"


_JAVASCRIPT = rb"""\bfrom\s*["']|\bimport\s*[("']|\brequire\s*\("""
_JAVASCRIPT_QUERY = """
    (import_statement source: (string) @path)
    (export_statement source: (string) @path)
    (call_expression function: [(import) (identifier)] @name arguments: (arguments . (string) @path))
"""
_TYPESCRIPT_QUERY = f"{_JAVASCRIPT_QUERY} (import_require_clause source: (string) @path)"
_C_QUERY = "(preproc_include path: [(string_literal) (system_lib_string)] @path)"
_C = rb"^[ \t]*#[ \t]*include\b"

_RULES = {
    "Python": _Rule(
        "python",
        rb"^[ \t]*(?:import\b|from\b[^\n(]{1,500}(?:\([^)]{0,2000}\))?)",
        """
        (import_statement name: [(dotted_name) @module (aliased_import name: (dotted_name) @module)])
        (import_from_statement
            module_name: (_) @module
            name: [(dotted_name) @name (aliased_import name: (dotted_name) @name)])
        (import_from_statement module_name: (_) @module (wildcard_import))
        """,
    ),
    "Java": _Rule(
        "java",
        rb"^[ \t]*(?:import|package)\b",
        """
        (package_declaration (_) @package)
        (import_declaration [(scoped_identifier) (identifier)] @module)
        """,
    ),
    "Kotlin": _Rule(
        "kotlin",
        rb"^[ \t]*(?:import|package)\b",
        "(package_header (qualified_identifier) @package) (import (qualified_identifier) @module)",
    ),
    "Scala": _Rule(
        "scala",
        rb"^[ \t]*(?:import|package)\b[^\n{]{0,500}(?:\{[^}]{0,2000}\})?",
        "(package_clause name: (_) @package) (import_declaration) @module",
    ),
    "C": _Rule("c", _C, _C_QUERY),
    "C++": _Rule("cpp", _C, _C_QUERY),
    "C#": _Rule(
        "c_sharp",
        rb"^[ \t]*(?:global\s+)?(?:using\s+(?:static\s+)?[\w.]+\s*[;=]|namespace\s[^{;]{1,500}[{;])",
        """
        (using_directive (qualified_name) @module)
        (using_directive !name (identifier) @module)
        (namespace_declaration name: (_) @package)
        (file_scoped_namespace_declaration name: (_) @package)
        (ERROR "namespace" . [(qualified_name) (identifier)] @package)  ; its end is not parsed
        """,
    ),
    "JavaScript": _Rule("javascript", _JAVASCRIPT, _JAVASCRIPT_QUERY),
    "TypeScript": _Rule("typescript", _JAVASCRIPT, _TYPESCRIPT_QUERY, "language_typescript"),
    "TSX": _Rule("typescript", _JAVASCRIPT, _TYPESCRIPT_QUERY, "language_tsx"),
    "Go": _Rule("go", rb"""^import\b|^[ \t]+(?:[\w.]+ )?["`][^"`\n]+["`]""", "(import_spec path: (_) @module)"),
    "Rust": _Rule(  # at the top only: `use super::*` in a module of tests means the file itself
        "rust",
        rb"^(?:pub\b[^\n;{]{0,100}?)?(?:mod\s+\w+\s*;|use\s[^;]{1,2000};)",
        """
        (source_file (mod_item name: (identifier) @module !body))
        (source_file (use_declaration argument: (_) @use))
        """,
    ),
    "PHP": _Rule(
        "php",
        rb"""^[ \t]*(?:namespace|use)\s[^;]{1,2000};|\b(?:require|include)(?:_once)?\b[^;\n]{0,500}["']""",
        """
        (namespace_definition name: (_) @package)
        (namespace_use_declaration (namespace_use_clause . [(qualified_name) (name)] @module))
        (namespace_use_declaration
            (namespace_name) @module
            body: (namespace_use_group (namespace_use_clause . [(qualified_name) (name)] @name)))
        [(require_expression) (require_once_expression) (include_expression) (include_once_expression)] @path
        """,
        "language_php",
    ),
    "Ruby": _Rule(
        "ruby",
        rb"\brequire(?:_relative)?\b",
        "(call method: (identifier) @name arguments: (argument_list . (string) @path))",
    ),
}


@functools.cache
def grammar_of(language: str) -> Grammar | None:
    """None for a language whose imports cannot be read."""
    rule = _RULES.get(language)
    if rule is None:
        return None
    grammar = Language(getattr(importlib.import_module(f"tree_sitter_{rule.module}"), rule.function)())
    return Grammar(Parser(grammar), re.compile(rule.statement, re.MULTILINE), Query(grammar, rule.query))
