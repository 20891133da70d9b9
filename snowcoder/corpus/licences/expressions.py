"""SPDX licence expressions: read, written the one way, and weighed."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from typing import Any

from boolean import ParseError
from license_expression import ExpressionError, LicenseSymbol, Licensing, get_spdx_licensing

from snowcoder.corpus.licences import names
from snowcoder.corpus.licences.restrictions import RESTRICTED, UNKNOWN, restrictions

_LONGEST = 500  # characters; real ones are shorter, and deep nesting is what only an attack has
# "UNLICENSED" is npm's word for a package that nobody else may use.
_RESERVED = re.compile(
    r"unlicensed|all rights reserved\.?"
    r"|(?:other/)?(?:proprietary|commercial|closed[ -]source)(?: (?:licen[cs]e|software))?",
    re.IGNORECASE,
)


@functools.lru_cache(maxsize=4096)
def normalise(declared: str) -> str:
    """A declared licence as an SPDX expression, of its own or by its name; `UNKNOWN` if it is none."""
    declared = names.at_address(declared) if len(declared) <= _LONGEST else declared
    for spelling in (declared, declared.replace("/", " OR ")):  # Cargo's and npm's old way to write a choice
        parsed = _parse(spelling)
        if parsed is not None and all(_is_known(symbol) for symbol in parsed.symbols):
            return str(parsed)
    if len(declared) > _LONGEST:
        return UNKNOWN
    if _RESERVED.fullmatch(declared.strip()):
        return RESTRICTED
    return " AND ".join(restrictions(declared)) or names.expression(declared) or UNKNOWN


@functools.lru_cache(maxsize=4096)
def holds(expression: str, allowed: frozenset[str]) -> bool:
    """Whether an expression leaves a way to use the work under `allowed` licences alone, which are in lower case."""
    if expression.lower() in allowed:
        return True
    parsed = _parse(expression)
    if parsed is None and len(expression) <= _LONGEST and (named := names.expression(expression)):
        parsed = _parse(named)  # "MIT License", as GitHub shows it
    return parsed is not None and _evaluate(parsed, allowed)


@functools.lru_cache(maxsize=4096)
def parts(expression: str) -> frozenset[str]:
    """The licences that an expression names, without what a text cannot tell: whether later versions are allowed."""
    parsed = _parse(expression)
    return frozenset({expression} if parsed is None else map(_base, _licensing().license_keys(parsed)))


def _evaluate(node: Any, allowed: Collection[str]) -> bool:
    branches = [_evaluate(branch, allowed) for branch in getattr(node, "args", ())]
    if branches:
        return any(branches) if type(node).__name__ == "OR" else all(branches)
    exception = getattr(node, "exception_symbol", None)
    if exception is not None and not _is_exception(exception):
        return False  # SPDX's exceptions give permissions; what others write after WITH may take them
    key = getattr(node, "license_symbol", node).key.lower()
    return key in allowed or key.removesuffix("+") in allowed


def _is_known(symbol: Any) -> bool:
    """Whether a symbol is SPDX's, a version or later of SPDX's, or a reference to a text that comes with the work."""
    if exception := getattr(symbol, "exception_symbol", None):
        return _is_exception(exception) and _is_known(symbol.license_symbol)
    known, key = _licensing().known_symbols, symbol.key
    return key in known or key.removesuffix("+") in known or _is_reference(key)


def _is_exception(symbol: LicenseSymbol) -> bool:
    return symbol.is_exception and symbol.key in _licensing().known_symbols and not _is_reference(symbol.key)


def _is_reference(key: str) -> bool:
    return key.startswith("LicenseRef-") or (key.startswith("DocumentRef-") and ":LicenseRef-" in key)


def _base(licence: str) -> str:
    return licence.removesuffix("-only").removesuffix("-or-later").removesuffix("+")


@functools.cache
def _licensing() -> Licensing:
    return get_spdx_licensing()


def _parse(expression: str) -> Any:
    """The tree of an expression; None of one that is none."""
    if len(expression) > _LONGEST:
        return None
    try:
        return _licensing().parse(expression)
    except (ExpressionError, ParseError, AssertionError, IndexError):  # the last two: its own slips on nonsense
        return None
