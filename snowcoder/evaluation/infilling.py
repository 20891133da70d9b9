"""Single-line infilling (Bavarian et al., 2022): one line of a canonical solution is missing, the tests decide.

Every line of a solution's body that is not blank is a task, as in their HumanEval-Infilling.
"""

from __future__ import annotations

from snowcoder.evaluation.tasks import Task

_LEVEL = "Infilling"


def single_lines(tasks: list[Task]) -> list[Task]:
    return [infilling for task in tasks for infilling in _lines(task)]


def _lines(task: Task) -> list[Task]:
    """The text around a line ends and begins with its newlines; the model writes the line, indentation included."""
    (check,) = task.checks.values()
    first = task.prompt.count("\n") + 1
    lines = task.canonical.splitlines()
    return [
        Task(
            f"{task.name}/{number - first}",
            "".join(f"{line}\n" for line in lines[:number]),
            task.canonical,
            {_LEVEL: check},
            suffix="".join(f"\n{line}" for line in lines[number + 1 :]) or "\n",
            stops=("\n",),
        )
        for number in range(first, len(lines))
        if lines[number].strip()
    ]
