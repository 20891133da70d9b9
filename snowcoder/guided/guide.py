"""Whether a token may follow what has been written: each name that it ends, or leaves open, must be one that can be.

`Guide` is of one gap of one text: `given` before it, `after` behind it. It keeps what it found, so that all samples for
the gap share it. The rules err on the side of the model: what no list tells is allowed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from os.path import commonprefix
from typing import NamedTuple

from snowcoder.guided.grammar import GapGrammar
from snowcoder.guided.names import Names
from snowcoder.guided.places import NAME, NamePlace, Syntax, closing, code_end, left_to_close, name_start, place_at

_QUOTES = ("'", '"')


class Refusal(NamedTuple):
    """`kind`: member or name, which `what` is not the beginning of, or not whole; grammar or end: the token `what`."""

    kind: str
    what: str


class Guide:
    """`names`, `grammar`: None where neither is asked for. `lines`: the gap ends behind so many line ends, and what
    is written then does not count; 0: it ends where the model ends it."""

    def __init__(
        self,
        language: Syntax,
        names: Names | None,
        given: str,
        after: str,
        members_only: bool = False,
        grammar: GapGrammar | None = None,
        lines: int = 0,
    ) -> None:
        self.language, self.names, self.given, self.after = language, names, given, after
        self.members_only, self.grammar, self.lines = members_only, grammar, lines
        is_of_lines = given[-1:] in ("", "\n") and after[:1] not in ("", "\n")
        self._behind = f"\n{after}" if is_of_lines else after  # while the gap's last line has no end yet
        self._is_on = code_end(language, given) == len(given)  # in a string or a comment nothing is known
        self._closing = closing(language, given)  # of the brackets in which the gap is
        self._closed_behind = left_to_close(language, after) if language.end else ""

    def allows(self, written: str, token: str) -> bool:
        """Whether `token` may follow `written`, both of the gap."""
        return self.refusal(written, token) is None

    def refusal(self, written: str, token: str) -> Refusal | None:
        """Why `token` may not follow `written`; None where it may."""
        if not self._is_on or self._ended(written):
            return None
        text = written + token
        end = self._ended(text)
        if self.grammar is not None and not end and not self.grammar.goes_on(text):
            return Refusal("grammar", token)
        found = self._refused_name(written, text[: end or None])
        if end and found is None and not self._is_whole(text[:end]):
            return Refusal("end", token)
        return found

    def may_end(self, written: str) -> bool:
        """Whether the gap may end there."""
        if not self._is_on:
            return True
        start = name_start(written)
        if NAME.fullmatch(written, start) and not self.after[:1].isalnum():
            return self._can_be(written, start, len(written), ended=True) and self._is_whole(written)
        return self._is_whole(written)

    def _is_whole(self, written: str) -> bool:
        return self.grammar is None or self.grammar.may_end(written)

    def _refused_name(self, written: str, text: str) -> Refusal | None:
        for start, end in self._touched(written, text):
            if not self._can_be(text, start, end, end < len(text)):
                return Refusal(self._place(text, start).value, text[start:end])
        return None

    def _ended(self, text: str) -> int:
        """The characters of the gap where all its lines are there; 0: there are fewer."""
        ends = [found.end() for found in re.finditer("\n", text)] if self.lines else []
        return ends[self.lines - 1] if len(ends) >= self.lines > 0 else 0

    def continuation(self, written: str) -> str:
        """What must follow the name that `written` ends in: the letters that all names share which begin as it does
        (the paper's active completion). Empty where a choice is left, or nothing is known."""
        start = name_start(written)
        begun = written[start:]
        if not self._is_on or self._ended(written):
            return ""
        if begun and not NAME.fullmatch(begun):
            return ""
        place = self._place(written, start)
        if place is NamePlace.FREE or (place is NamePlace.NAME and not begun):
            return ""
        names = self._names(written[:start], place, begun[:1])
        if not names or (place is NamePlace.NAME and any(word.startswith(begun) for word in self.language.keywords)):
            return ""
        alike = commonprefix([name for name in names if name.startswith(begun)])  # noqa: RUF071 letters are meant
        return alike[len(begun) :]

    def _touched(self, written: str, text: str) -> Iterator[tuple[int, int]]:
        """The names in `text` that end behind `written`, or that what follows it ends."""
        for found in NAME.finditer(text, name_start(written)):
            before, behind = text[: found.start()][-1:], text[found.end() :][:1]
            if not before.isalnum() and behind not in _QUOTES and found.end() >= len(written):  # 1e5 and f"" have none
                yield found.span()

    def _can_be(self, text: str, start: int, end: int, ended: bool) -> bool:
        place, name = self._place(text, start), text[start:end]
        if place is NamePlace.FREE:
            return True
        if place is NamePlace.NAME and _is_of(self.language.keywords, name, ended):  # so it need not be asked
            return True
        known = self._names(text[:start], place, name[:1])
        return known is None or _is_of(known, name, ended)

    def _place(self, text: str, start: int) -> NamePlace:
        if self.names is None:
            return NamePlace.FREE
        place = place_at(self.language, self.given, text[:start], bool(self._closing))
        return NamePlace.FREE if self.members_only and place is NamePlace.NAME else place

    def _names(self, before: str, place: NamePlace, first: str) -> frozenset[str] | None:
        assert self.names is not None  # no place is one of a name
        asked_with = "" if place is NamePlace.MEMBER else first
        return self.names.at(self.given + before + asked_with, self._closed(before) + self._behind)

    def _closed(self, before: str) -> str:
        """What closes the brackets that are open, without which engines take the next lines for a part of this one.

        Where statements have an end of their own, the line gets one too, if nothing else follows on it. What the lines
        behind close stays open there, for classes and methods reach beyond this line; and where they close more than
        is open, the line is to open it.
        """
        closes = closing(self.language, before, self._closing)
        if not self.language.end:
            return closes
        alike = len(commonprefix([closes[::-1], self._closed_behind[::-1]]))  # noqa: RUF071 brackets are meant
        lacks = len(self._closed_behind) - alike
        is_last = self._behind[:1] in ("", "\n", "\r")
        return closes[: len(closes) - alike] + ("{" * lacks or self.language.end if is_last else "")


def _is_of(words: frozenset[str], name: str, ended: bool) -> bool:
    """Whether `name` is one of the words, or, while it may go on, the beginning of one."""
    if ended:
        return name in words
    ordered = _in_order(words)
    first = bisect_left(ordered, name)
    return first < len(ordered) and ordered[first].startswith(name)


@lru_cache(maxsize=256)
def _in_order(words: frozenset[str]) -> list[str]:
    return sorted(words)
