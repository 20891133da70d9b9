"""A bug whose place is known: one hunk of a program's lines, which is to be written anew."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal, NamedTuple

BugLanguage = Literal["python", "java"]


@dataclass(frozen=True)
class Checkout:
    """A project of Defects4J as the user has it."""

    root: Path
    file: Path  # that has the bug, below the root


@dataclass(frozen=True)
class Bug:
    """`before` ends with the newline before the hunk, `after` begins with the one behind it.

    A hunk of no lines is empty, and leaves an empty line in the program.
    """

    name: str
    language: BugLanguage
    before: str
    hunk: str
    after: str
    fix: str  # what its authors wrote in the hunk's place
    tests: str = ""  # code that fails where the program is wrong
    checkout: Checkout | None = None  # without tests: where they are. Neither: nobody can judge a patch
    hunks: int = 1  # places in which the fix differs; of more than one, the hunk spans from the first to the last

    def program(self, patch: str) -> str:
        return f"{self.before}{patch}{self.after}"

    @property
    def is_judged(self) -> bool:
        return bool(self.tests or self.checkout)


class Hunk(NamedTuple):
    """Where two texts differ, by lines."""

    before: str
    hunk: str
    after: str
    fix: str
    hunks: int


def differing_lines(buggy: str, fixed: str, before: str = "") -> Hunk:
    """From the first to the last line in which the texts differ; `before` stands before both."""
    old, new = buggy.split("\n"), fixed.split("\n")
    changes = [each for each in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if each[0] != "equal"]
    (_, first, _, first_new, _), (_, _, last, _, last_new) = changes[0], changes[-1]
    head = before + "".join(f"{line}\n" for line in old[:first])
    tail = "".join(f"\n{line}" for line in old[last:]) or "\n"
    return Hunk(head, "\n".join(old[first:last]), tail, "\n".join(new[first_new:last_new]), len(changes))
