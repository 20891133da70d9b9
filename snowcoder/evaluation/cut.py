"""What of a completion counts: up to the first stop, and of that the part that is whole."""

from __future__ import annotations

import functools

import tree_sitter
import tree_sitter_python

from snowcoder.evaluation.completions import Completion
from snowcoder.evaluation.tasks import Task


def cut_completion(task: Task, text: str) -> str:
    """A completion that ran into its limit of tokens ends within a statement: its last lines are left out, as evalplus
    does, until the program has the form of Python. Tabs become spaces, as there."""
    text = _up_to_stop(task, text).replace("\t", "    ")
    lines = text.split("\n")
    for count in range(len(lines), 0, -1):
        shorter = "\n".join(lines[:count])
        if parses_as_python(task.program(shorter)):
            return shorter
    return text


def _up_to_stop(task: Task, text: str) -> str:
    ends = [at for stop in task.stops if (at := text.find(stop)) >= 0]
    return text[: min(ends, default=len(text))]


def which_parse(tasks: list[Task], completions: list[Completion]) -> dict[tuple[str, int], bool]:
    """By task and sample, whether the completion up to its first stop makes a program that has the form of Python.

    Its last line may be unfinished, for it may have run into its limit of tokens; an empty completion does not count.
    """
    by_name = {task.name: task for task in tasks}
    return {(each.task, each.sample): _parses(by_name[each.task], each.text) for each in completions}


def _parses(task: Task, text: str) -> bool:
    whole = _up_to_stop(task, text)
    parts = [whole, whole.rpartition("\n")[0]]
    return any(part.strip() and parses_as_python(task.program(part)) for part in parts)


def parses_as_python(source: str) -> bool:
    """By tree-sitter, which no source can crash."""
    return not _parser().parse(source.encode()).root_node.has_error


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
