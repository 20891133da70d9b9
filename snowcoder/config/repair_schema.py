"""The section of conf/ for repair, see `schema.py`."""

from __future__ import annotations

from typing import Literal

from snowcoder.config.evaluation_schema import GenerationConfig
from snowcoder.config.section import Natural, Positive, Section


class RepairConfig(Section):
    """A model writes what stands in a bug's place, as in cloze-style repair (AlphaRepair, Repilot)."""

    dir: str
    """Folder of patches, verdicts and the table."""

    model: str
    """Exported folder of the model."""

    benchmark: Literal["humanevalfix", "defects4j"]
    """How `data` is laid out. humanevalfix: HumanEvalPack's lines, whose tests come with each bug. defects4j: Repilot's
    table of single-hunk bugs, whose tests are in checkouts."""

    language: Literal["python", "java"]
    """The language of the bugs."""

    data: str
    """File of the bugs; nothing is downloaded."""

    docstring: bool
    """HumanEvalFix: what the function should do stands in its docstring; false: its signature alone is there."""

    checkouts: str | None
    """Defects4J: folder of checkouts, each under its bug's name (Chart-1); null: methods alone, not judged."""

    bugs: list[str]
    """Names of the bugs; empty: all."""

    first: Natural
    """Only so many of them, from the first on; 0: all."""

    prompt: Literal["left_to_right", "infill"]
    """left_to_right: what stands before the bug, and the buggy lines in a comment. infill: what stands before it and
    behind it, for models trained with fim=starcoder."""

    templates: list[Literal["hunk", "line_start", "line_end"]]
    """What is written; samples have equal parts of them. hunk: all of it. line_start, line_end: the first words of the
    first line stay, or, with prompt=infill, the last words of the last; not where the buggy lines are none."""

    generation: GenerationConfig
    """How patches are written; `samples` for each bug."""

    seconds: Positive
    """CPU seconds that the tests of a patch may take."""

    java_home: str | None
    """JDK that compiles and runs the tests; null: that of the `javac` on the PATH."""

    workers: Natural
    """Programs that run side by side in the sandbox; 0: one per core this process may use."""
