"""Defects4J's single-hunk bugs as Repilot lists them: a method each, and the file around it where there is a checkout.

A checkout is prepared by Defects4J's own command in its folder: `defects4j compile`, and for each of `PROPERTIES`, the
files that are read here, `defects4j export -p PROPERTY -o PROPERTY`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snowcoder.errors import UserError
from snowcoder.repair.bugs import Bug, Checkout, Hunk, differing_lines

PROPERTIES = ("cp.test", "dir.src.classes", "classes.modified", "tests.trigger", "tests.all")


def defects4j_bug(name: str, row: dict[str, Any], checkouts: Path | None) -> Bug:
    """`row`: prefix, suffix, buggy and fix of a method, and its lines in the file from `start` to `end`.

    Raises UserError where the checkout is not that of the bug, or not prepared.
    """
    span = _span(row)
    if checkouts is None:
        return Bug(name, "java", *span[:4], hunks=span.hunks)
    root = checkouts / name
    if missing := [each for each in PROPERTIES if not (root / each).is_file()]:
        raise UserError(
            f"repair.checkouts: {root} has no {', '.join(missing)}; in it, run `defects4j compile`, and "
            "`defects4j export -p PROPERTY -o PROPERTY` for each of these"
        )
    file, before, after = _around(root, row)
    return Bug(
        name,
        "java",
        before + span.before,
        span.hunk,
        span.after + after,
        span.fix,
        checkout=Checkout(root, file),
        hunks=span.hunks,
    )


def _span(row: dict[str, Any]) -> Hunk:
    """As the table has it; where the fix differs in more than that hunk, from the first to the last difference."""
    prefix, suffix, buggy, fix = (str(row[key]) for key in ("prefix", "suffix", "buggy", "fix"))
    before, after = f"{prefix}\n" if prefix else "", f"\n{suffix}" if suffix else "\n"
    if not (_is_around(before, after, buggy) and _is_around(before, after, fix)):
        return differing_lines(buggy, fix)
    return Hunk(before, _between(before, after, buggy), after, _between(before, after, fix), 1)


def _is_around(before: str, after: str, text: str) -> bool:
    """They share a newline where there is nothing between them."""
    return text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after) - 1


def _between(before: str, after: str, text: str) -> str:
    return text[len(before) : len(text) - len(after)] if len(text) >= len(before) + len(after) else ""


def _around(root: Path, row: dict[str, Any]) -> tuple[Path, str, str]:
    """The file that has the buggy method, and its text before and behind that."""
    sources = (root / "dir.src.classes").read_text().strip()
    for name in (root / "classes.modified").read_text().split():
        file = Path(sources, *name.split("$")[0].split(".")).with_suffix(".java")
        if (root / file).is_file():
            text = (root / file).read_bytes().decode(errors="replace")
            lines = text.split("\n")
            if "\n".join(lines[row["start"] - 1 : row["end"]]) == row["buggy"]:
                before, after = lines[: row["start"] - 1], lines[row["end"] :]
                return file, "".join(f"{line}\n" for line in before), "".join(f"\n{line}" for line in after)
    raise UserError(
        f"repair.checkouts: no class that {root / 'classes.modified'} names has the buggy method in lines "
        f"{row['start']} to {row['end']}; check the buggy version out: `defects4j checkout -v NUMBERb`"
    )
