"""Whether what is written in a gap can go on to a program, and whether the gap may end: brackets, statements, lines.

A parser that stands in the middle of a file says it: Python's own, tree-sitter's for other languages (`prefixes.py`).
Tried and not taken, with 49,152 tokens on one core: llguidance 1.9 makes a mask of the whole vocabulary in 1 to 7 ms
and takes a prefix of 4,000 tokens in 0.1 s, but wants a grammar of each language of one's own, and has no means for
Python's indentation; xgrammar 0.2, without a lexer of its own, took 0.2 to 2.4 s for a mask of the same grammar. Here
grammars are those that compilers and editors have, and only tokens are looked at that would be drawn, in 0.15 ms each
(Python, median) and 0.5 ms (Java).

A token may end in the middle of a word: a text may go on if it does with the word as it is, or with one that it begins.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from snowcoder.guided.places import PYTHON, Syntax, code_end
from snowcoder.guided.prefixes import PrefixParser, prefixes_of, without_neighbours

_LONGER = {  # an operator's last character -> what may follow it in a longer one
    "=": "=",
    "!": "=",
    "<": "=<",
    ">": "=>",
    "+": "+=",
    "-": ">-=",
    "*": "*=",
    "/": "=/",
    "%": "=",
    "&": "&=",
    "|": "|=",
    "^": "=",
    "@": "=",
    ":": ":=",
    ".": ("..", ".", "5"),
}


class GapGrammar:
    """Of one gap. `replaced`: what stood there; with it the file may have had errors, which then may stay.

    Where `given` is no beginning of a program, or ends in a string or a comment, all is allowed.
    """

    def __init__(self, language: Syntax, parser: PrefixParser, given: str, after: str, replaced: str | None) -> None:
        self.language, self.given, self.after, self.replaced = language, given, after, replaced
        self.parser = parser
        self._known: dict[str, bool] = {}
        self._errors: int | None = 0 if replaced is None else None
        self._short = without_neighbours(language.name, given, (replaced or "") + after)
        self._is_on = code_end(language, given) == len(given) and self._starts()

    def goes_on(self, written: str) -> bool:
        """Whether a program can begin with what is given and `written`."""
        if not self._is_on:
            return True
        end = code_end(self.language, written)
        if end < len(written):  # in a string, or a comment: there as well as an empty one would be
            inside = written[end:]
            written = written[:end] + ('""' if inside[:1] in ("'", '"') else "")
        if written not in self._known:
            self._known[written] = any(self.parser.begins(self._short + each) for each in self._ways_on(written))
        return self._known[written]

    def may_end(self, written: str) -> bool:
        """Whether it is whole, with what follows the gap."""
        if not self._is_on:
            return True
        if self._errors is None:
            self._errors = self.parser.errors(self.given + (self.replaced or "") + self.after)
        return self.parser.errors(self.given + written + self.after) <= self._errors

    def _starts(self) -> bool:
        if self.parser.start(self._short):
            return True
        self._short = self.given
        return self.parser.start(self.given)

    def _ways_on(self, written: str) -> Iterator[str]:
        """`written`, and with its last word or operator as the beginning of a longer one."""
        yield written
        word = re.search(r"[A-Za-z_$][\w$]*\Z|\d[\w.]*\Z", written)
        if word and word[0][0].isdigit():
            yield written[: word.start()] + "0"
        elif word:
            yield written + "_"  # a name, though it is a keyword until now
            yield from (written + each[len(word[0]) :] for each in self._keywords() if each.startswith(word[0]))
            if len(word[0]) < 3:
                yield f'{written}""'  # r"", where a string may follow another
        yield from (written + more for more in _LONGER.get(written[-1:], ""))

    def _keywords(self) -> frozenset[str]:
        return frozenset(keyword.kwlist) if self.language is PYTHON else self.language.keywords


def grammar_at(language: Syntax, given: str, after: str, replaced: str | None = None) -> GapGrammar | None:
    """Of a gap, or None for a language of which no parser is known."""
    parser = prefixes_of(language.name)
    return GapGrammar(language, parser, given, after, replaced) if parser else None
