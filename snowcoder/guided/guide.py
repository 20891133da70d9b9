"""Whether a token may follow what has been written: each name that it ends, or leaves open, must be one that can be.

`Guide` is of one gap of one text: `given` before it, `after` behind it. It keeps what it found, so that all samples for
the gap share it. The rules err on the side of the model: what no list tells is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from os.path import commonprefix

from snowcoder.guided.names import Names
from snowcoder.guided.places import NAME, NamePlace, Syntax, closing, name_start, place_at

_QUOTES = ("'", '"')


class Guide:
    """`names`: None where none are asked for."""

    def __init__(
        self, language: Syntax, names: Names | None, given: str, after: str, members_only: bool = False
    ) -> None:
        self.language, self.names, self.given, self.after = language, names, given, after
        self.members_only = members_only
        self._closing = closing(language, given)  # of the brackets in which the gap is

    def allows(self, written: str, token: str) -> bool:
        """Whether `token` may follow `written`, both of the gap."""
        text = written + token
        return all(self._can_be(text, start, end, end < len(text)) for start, end in self._touched(written, text))

    def may_end(self, written: str) -> bool:
        """Whether the gap may end there."""
        start = name_start(written)
        if not NAME.fullmatch(written, start) or self.after[:1].isalnum():
            return True
        return self._can_be(written, start, len(written), ended=True)

    def continuation(self, written: str) -> str:
        """What must follow the name that `written` ends in: the letters that all names share which begin as it does
        (the paper's active completion). Empty where a choice is left, or nothing is known."""
        start = name_start(written)
        begun = written[start:]
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
        known = self._names(text[:start], place, name[:1])
        if known is None:
            return True
        words = known | self.language.keywords if place is NamePlace.NAME else known
        return name in words if ended else any(word.startswith(name) for word in words)

    def _place(self, text: str, start: int) -> NamePlace:
        if self.names is None:
            return NamePlace.FREE
        place = place_at(self.language, self.given, text[:start], bool(self._closing))
        return NamePlace.FREE if self.members_only and place is NamePlace.NAME else place

    def _names(self, before: str, place: NamePlace, first: str) -> frozenset[str] | None:
        """With open brackets closed, without which engines take the next lines for a part of this one."""
        assert self.names is not None  # no place is one of a name
        asked_with = "" if place is NamePlace.MEMBER else first
        return self.names.at(
            self.given + before + asked_with, closing(self.language, before, self._closing) + self.after
        )
