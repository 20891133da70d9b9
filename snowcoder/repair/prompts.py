"""What a model is given to write a patch, and which part of what it writes is the patch.

Templates, as AlphaRepair and Repilot have them: `hunk`, of which nothing stays; `line_start`, the first words of the
first line stay; `line_end`, the last words of the last. Samples have equal parts of the templates, and within one of
the places where a line can be cut.

Left to right, a model does not see what follows: there is no `line_end`, and a patch has as many lines as the hunk, or
fewer, where it comes to the line behind the hunk before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from snowcoder.config.repair_schema import RepairConfig
from snowcoder.evaluation.completions import Completion, CompletionRequest
from snowcoder.evaluation.tasks import Task
from snowcoder.repair.bugs import Bug

_COMMENT = {"python": "#", "java": "//"}


@dataclass(frozen=True)
class Gap:
    """What is to be written of a patch: `start` and `end` of it are given."""

    bug: Bug
    template: str
    start: str = ""
    end: str = ""

    @property
    def name(self) -> str:
        """Whose draws the samples have."""
        return f"{self.bug.name} {self.template} {len(self.start) or len(self.end)}"

    @property
    def replaced(self) -> str:
        """What stood there."""
        return self.bug.hunk[len(self.start) : len(self.bug.hunk) - len(self.end)]

    @property
    def lines(self) -> int:
        return self.bug.hunk.count("\n") + 1

    @property
    def given(self) -> str:
        return self.bug.before + self.start

    @property
    def after(self) -> str:
        return self.end + self.bug.after


@dataclass(frozen=True)
class Sample:
    """One patch that is wanted."""

    gap: Gap
    number: int
    request: CompletionRequest

    def patch(self, completion: Completion, most: int, infill: bool) -> str | None:
        """None where `completion`, of at most `most` tokens, came to no end."""
        text = _of_lines(self.gap, completion.text) if not infill else None
        if text is None and completion.tokens >= most:
            return None
        return self.gap.start + (completion.text if text is None else text) + self.gap.end


def samples_of(bug: Bug, config: RepairConfig) -> Iterator[Sample]:
    """In the order of their numbers, of which more can follow."""
    infill = config.prompt == "infill"
    templates = [each for each in config.templates if infill or each != "line_end"]
    kinds = [found for template in templates if (found := list(_gaps(bug, template)))] or [[Gap(bug, "hunk")]]
    for number in range(config.generation.samples):
        gaps = kinds[number % len(kinds)]
        gap = gaps[number // len(kinds) % len(gaps)]
        yield Sample(gap, number, CompletionRequest(_task(gap, infill), number))


def _gaps(bug: Bug, template: str) -> Iterator[Gap]:
    if template == "hunk":
        yield Gap(bug, template)
        return
    lines = bug.hunk.split("\n")
    line = lines[0 if template == "line_start" else -1]
    for place in [found.end() for found in re.finditer(r"\w+|[^\w\s]", line)][:-1]:
        if template == "line_start":
            yield Gap(bug, template, start=line[:place])
        else:
            yield Gap(bug, template, end=line[place:])


def _task(gap: Gap, infill: bool) -> Task:
    if infill:
        return Task(gap.name, gap.given, "", {}, suffix=gap.after)
    return Task(gap.name, _prompt(gap), "", {}, stops=_stops(gap))


def _prompt(gap: Gap) -> str:
    """The program up to the hunk, then the buggy lines as a comment, with their indentation."""
    bug, mark = gap.bug, _COMMENT[gap.bug.language]
    lines = bug.hunk.split("\n") if bug.hunk.strip() else []
    shown = lines or bug.after.lstrip("\n").split("\n")[:1]
    indent = shown[0][: len(shown[0]) - len(shown[0].lstrip())]
    told = ["Buggy code:", *(line.removeprefix(indent) for line in lines), "Fixed code:"]
    comment = "".join(f"{indent}{mark} {line}".rstrip() + "\n" for line in (told if lines else ["Missing code:"]))
    return bug.before + comment + gap.start


def _stops(gap: Gap) -> tuple[str, ...]:
    anchor = _anchor(gap)
    return ("\n",) if gap.lines == 1 else (anchor,) if anchor else ()


def _anchor(gap: Gap) -> str:
    """The line behind the hunk, with the newline before it; empty where there is none, or only its bracket."""
    line = next(filter(str.strip, gap.bug.after.split("\n")), "")
    return f"\n{line}" if re.search(r"\w", line) else ""


def _of_lines(gap: Gap, text: str) -> str | None:
    """What of a text from left to right is the patch; None where its last line is not whole."""
    lines = text.split("\n")
    anchor = _anchor(gap).removeprefix("\n")
    count = gap.lines
    whole = lines[: len(lines) - 1]
    if anchor in lines[1:]:
        whole, count = lines[: lines.index(anchor, 1)], min(count, lines.index(anchor, 1))
    if len(whole) < count:
        return None
    return "\n".join(whole[:count])
