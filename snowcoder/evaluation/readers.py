"""From the rows of a benchmark's file, as its authors publish it, to tasks.

Prompts are those of the paper (Wei et al., 2024, section 3.1): of HumanEval(+) and EvoEval without the newlines at
their end, after which some models write no indentation.
"""

from __future__ import annotations

from typing import Any

from snowcoder.evaluation.mbpp_inputs import typed
from snowcoder.evaluation.tasks import Asserts, Check, Outputs, Task

# The commonest first: a server may take only so many.
_ENDS = ("\nprint(", "\nif __name__", "\ndef main(", "<|endoftext|>", "<|endofmask|>", "</s>")
FUNCTION_STOPS = ("\ndef ", "\nclass ", *_ENDS, "\nimport ", "\nfrom ", "\nassert ")
PROGRAM_STOPS = ('\n"""', "\nassert", *_ENDS)
_MBPP_TEST = range(11, 511)  # the split that the paper of MBPP tests on
BenchmarkRows = list[dict[str, Any]]


def humaneval(rows: BenchmarkRows) -> list[Task]:
    return [
        Task(
            row["task_id"],
            row["prompt"].rstrip("\n"),
            row["prompt"] + row["canonical_solution"],
            {"HumanEval": Asserts(f"{row['test']}\ncheck({row['entry_point']})")},
            stops=FUNCTION_STOPS,
        )
        for row in rows
    ]


def humaneval_plus(rows: BenchmarkRows) -> list[Task]:
    return [
        Task(
            row["task_id"],
            row["prompt"].rstrip("\n"),
            row["prompt"] + row["canonical_solution"],
            _plus("HumanEval", row, row["base_input"], row["plus_input"]),
            stops=FUNCTION_STOPS,
        )
        for row in rows
    ]


def mbpp_plus(rows: BenchmarkRows) -> list[Task]:
    tasks = []
    for row in rows:
        number = int(row["task_id"].partition("/")[2])
        inputs = (typed(number, row[name]) for name in ("base_input", "plus_input"))
        tasks.append(
            Task(
                row["task_id"],
                row["prompt"].strip() + "\n",  # as evalplus gives it
                row["prompt"] + row["canonical_solution"],
                _plus("MBPP", row, *inputs),
                stops=PROGRAM_STOPS,
            )
        )
    return tasks


def _plus(name: str, row: dict[str, Any], base: Any, plus: Any) -> dict[str, Check]:
    levels = {name: base, f"{name}+": plus}
    oracle = _ORACLES.get(row["task_id"], "")
    return {
        level: Outputs(row["entry_point"], inputs, "evalplus", row["atol"], oracle) for level, inputs in levels.items()
    }


def mbpp(rows: BenchmarkRows) -> list[Task]:
    """Zero-shot, in the form that evalplus gives MBPP+: the text and the first assert as a docstring."""
    return [
        Task(
            f"Mbpp/{row['task_id']}",
            f'"""\n{row["text"]}\n{row["test_list"][0]}\n"""\n',
            row["code"].replace("\r\n", "\n"),
            {"MBPP": Asserts("\n".join([row["test_setup_code"], *row["test_list"]]))},
            stops=PROGRAM_STOPS,
        )
        for row in rows
        if row["task_id"] in _MBPP_TEST
    ]


def evoeval(rows: BenchmarkRows, category: str) -> list[Task]:
    level = f"EvoEval {category.replace('_', ' ')}"
    return [
        Task(
            row["task_id"],
            row["prompt"].rstrip("\n"),
            f"{row['prompt']}\n{row['canonical_solution']}",
            {
                level: Outputs(
                    row["entry_point"],
                    row["inputs"],
                    "evoeval",
                    oracle=_ORACLES.get(f"{category}/{row['task_id']}", ""),
                )
            },
            stops=FUNCTION_STOPS,
        )
        for row in rows
    ]


def rewritten(rows: BenchmarkRows, category: str) -> list[Task]:
    """EvoEval's verbose and concise: HumanEval+ in other words."""
    return [
        Task(
            row["task_id"],
            row["prompt"].rstrip("\n"),
            f"{row['prompt']}\n{row['canonical_solution']}",
            {
                level: Outputs(row["entry_point"], row[name], "evoeval", row["atol"], _ORACLES.get(row["task_id"], ""))
                for level, name in ((f"EvoEval {category}", "base_input"), (f"EvoEval {category}+", "plus_input"))
            },
            stops=FUNCTION_STOPS,
        )
        for row in rows
    ]


def bigcodebench(rows: BenchmarkRows) -> list[Task]:
    """Complete, "calibrated": the imports that the prompt promises are there, whatever the model writes."""
    return [
        Task(
            row["task_id"],
            row["complete_prompt"].rstrip("\n"),
            f"{row['complete_prompt']}\n{row['canonical_solution']}",
            {"BigCodeBench": Asserts(row["test"] + _RUN_UNITTEST)},
            before=f"{row['code_prompt']}\n    pass\n",
            stops=FUNCTION_STOPS,
        )
        for row in rows
    ]


_RUN_UNITTEST = """
import unittest as _unittest
_result = _unittest.TestResult()
_unittest.defaultTestLoader.loadTestsFromTestCase(TestCases).run(_result)
for _test, _trace in _result.failures + _result.errors:
    raise AssertionError(f"{_test.id().rpartition('.')[2]}: {_trace.strip().splitlines()[-1]}")
assert _result.testsRun, "no tests"
assert not _result.skipped, "a test was skipped"
"""

# Tasks with more than one right answer; the functions are in judge/oracles.py.
_ORACLES = {
    "HumanEval/32": "root_of_polynomial",
    "Mbpp/581": "surface_area",
    "Mbpp/558": "digit_distance",
    **{f"Mbpp/{number}": "same_elements" for number in (2, 7, 111, 140, 232, 579, 769)},
    **{f"Mbpp/{number}": "is_not_none" for number in (737, 787, 794)},
    "difficult/EvoEval/10": "palindrome",
    "difficult/EvoEval/32": "root_in_interval",
    "creative/EvoEval/26": "maze_moves",
    "creative/EvoEval/30": "grid_path",
    "creative/EvoEval/69": "two_factors",
    "subtle/EvoEval/32": "root_of_sparse_polynomial",
}
