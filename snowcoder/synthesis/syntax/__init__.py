"""Whether code parses, in all of the paper's languages but notebooks.

Python is read by Python's own parser, all others by tree-sitter. Where a grammar lacks what a language has, code that
it refuses is rewritten to what the grammar has, and read once more. How often both are wrong: docs/data-rules.md.
"""

from __future__ import annotations

from collections.abc import Callable

from snowcoder.synthesis.syntax import rewrites
from snowcoder.synthesis.syntax.python import is_python
from snowcoder.synthesis.syntax.sql import is_sql
from snowcoder.synthesis.syntax.trees import is_clean, tree_of

_Rewrite = Callable[[str], str]

_LANGUAGES: dict[str, _Rewrite | None] = {
    "C": rewrites.without_macros,
    "C++": rewrites.without_macros,
    "C#": None,
    "Dart": None,
    "Go": None,
    "Java": None,
    "JavaScript": None,
    "Kotlin": rewrites.older_kotlin,
    "Ruby": None,
    "Rust": None,
    "Scala": None,
    "Shell": None,
    "Swift": None,
}


def parses(code: str, language: str, dialect: str = "") -> bool | None:
    """None for a language without a grammar. `dialect`: what a fence or a file's suffix calls it, such as `tsx`."""
    if language in _CHECKS:
        return _CHECKS[language](code, dialect)
    if language not in _LANGUAGES:
        return None
    return _parses(code, language, _LANGUAGES[language])


def _parses(code: str, grammar: str, rewrite: _Rewrite | None) -> bool:
    if is_clean(code, grammar):
        return True
    rewritten = rewrite(code) if rewrite else code
    return rewritten != code and is_clean(rewritten, grammar)


def _typescript(code: str, dialect: str) -> bool:
    """A file is either kind, and `<T>x` is right in one of them only; most fences do not tell which."""
    grammars = {"tsx": ["TSX"], "ts": ["TypeScript"], "mts": ["TypeScript"], "cts": ["TypeScript"]}
    return any(_parses(code, each, rewrites.older_typescript) for each in grammars.get(dialect, ["TypeScript", "TSX"]))


def _php(code: str, dialect: str) -> bool:
    """Without an opening tag all is text to PHP, which is always right: what is not HTML is read as if it had one."""
    tree = tree_of(code, "PHP")
    if all(node.type == "text" for node in tree.children) and not code.lstrip().startswith("<"):
        return is_clean(code, "PHP without tags")
    return not tree.has_error


_CHECKS: dict[str, Callable[[str, str], bool]] = {
    "PHP": _php,
    "Python": lambda code, dialect: is_python(code),
    "SQL": lambda code, dialect: is_sql(code),
    "TypeScript": _typescript,
}
