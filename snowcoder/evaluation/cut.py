"""What of a completion counts: up to the first stop, and of that the part that is whole."""

from __future__ import annotations

import functools

import tree_sitter
import tree_sitter_python

from snowcoder.evaluation.tasks import Task


def cut_completion(task: Task, text: str) -> str:
    """A completion that ran into its limit of tokens ends within a statement: its last lines are left out, as evalplus
    does, until the program has the form of Python. Tabs become spaces, as there."""
    ends = [at for stop in task.stops if (at := text.find(stop)) >= 0]
    text = text[: min(ends, default=len(text))].replace("\t", "    ")
    lines = text.split("\n")
    for count in range(len(lines), 0, -1):
        shorter = "\n".join(lines[:count])
        if parses_as_python(task.program(shorter)):
            return shorter
    return text


def parses_as_python(source: str) -> bool:
    """By tree-sitter, which no source can crash."""
    return not _parser().parse(source.encode()).root_node.has_error


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
