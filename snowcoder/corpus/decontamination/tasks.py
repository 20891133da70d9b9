"""The tasks of code benchmarks, as their authors publish them.

HumanEval(+), EvoEval and BigCodeBench have a prompt that is code with the problem as its docstring, and the body that
solves it; MBPP(+) a text and a whole solution; APPS and DS-1000 a question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from snowcoder.errors import UserError

_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
_CODE = re.compile(r"^\s*(def|class|import|from)\b", re.MULTILINE)
_DOCSTRING = re.compile(r"\"\"\"(.*?)\"\"\"|'''(.*?)'''", re.DOTALL)
_PROMPTS = ("complete_prompt", "prompt", "text", "question")  # the first that a row has
_NUMBERS = ("task_id", "problem_id", "id")
_SOLUTIONS = ("canonical_solution", "code", "reference_code")


class Task(NamedTuple):
    benchmark: str
    name: str
    problems: list[str]  # in words
    solution: str  # the whole function where there is one; empty where the row has none


def read_tasks(paths: list[str]) -> list[Task]:
    """Of all files. Raises one UserError that names every path that cannot be read or has no tasks."""
    tasks: list[Task] = []
    problems: list[str] = []
    for path in paths:
        try:
            for file in _files(Path(path)):
                tasks += _tasks(file)
        except UserError as error:
            problems.append(f"  {error}")
    if problems:
        raise UserError("decontamination.benchmarks:\n" + "\n".join(problems))
    return tasks


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.name.endswith(_SUFFIXES))
    if not found:
        raise UserError(f"{path}: {f'has no {_SUFFIXES} files' if path.is_dir() else 'is not there'}")
    return found


def _tasks(path: Path) -> Iterator[Task]:
    benchmark, count = path.name.partition(".")[0], 0
    for number, row in enumerate(_rows(path)):
        prompt = next((row[key] for key in _PROMPTS if isinstance(row.get(key), str)), None)
        if prompt is None:
            continue
        count += 1
        name = next((str(row[key]) for key in _NUMBERS if key in row), str(number))
        yield Task(benchmark, name, _problems(prompt), _solution(row, prompt))
    if not count:
        raise UserError(f"{path}: no row has one of {', '.join(_PROMPTS)}")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.name.endswith(".parquet"):
            yield from pq.read_table(path).to_pylist()
            return
        compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
        with pa.input_stream(str(path), compression) as stream:
            for line in filter(bytes.strip, stream.read().split(b"\n")):
                # The standard one: MBPP+ has infinities, which others refuse.
                yield row if isinstance(row := json.loads(line), dict) else {}
    except (OSError, pa.ArrowException, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); expected {', '.join(_SUFFIXES)}") from None


def _problems(prompt: str) -> list[str]:
    docstrings = [first or second for first, second in _DOCSTRING.findall(prompt)]
    return docstrings or ([] if _CODE.search(prompt) else [prompt])


def _solution(row: dict[str, Any], prompt: str) -> str:
    solution = next((row[key] for key in _SOLUTIONS if isinstance(row.get(key), str)), "")
    # A body alone says little: `return a + b` is in many files that are nobody's solution.
    is_body = solution and not re.match(r"\s*(def|class|import|from)\b", solution) and _CODE.search(prompt)
    return f"{prompt}\n{solution}" if is_body else solution
