"""The tasks of code benchmarks, as their authors publish them: a row each, known by its columns.

HumanEval(+), EvoEval and BigCodeBench have a prompt that is code with the problem as its docstring, and as
`canonical_solution` the body that goes on with it, MBPP+ a whole function there; MBPP has a text and `code`, APPS a
question and a list of programs, DS-1000 a prompt in words and the `reference_code` that goes on with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from snowcoder.errors import UserError

_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".parquet")
_EXPECTED = f"expected {', '.join(_SUFFIXES)}"
_PROMPTS = ("complete_prompt", "prompt", "text", "question")  # the first that a row has
_NUMBERS = ("task_id", "problem_id", "id")
_DOCSTRING = re.compile(r"\"\"\"(.*?)\"\"\"|'''(.*?)'''", re.DOTALL)
_CONTINUES = "You should write self-contained code"  # the same end of all of BigCodeBench's `instruct_prompt`


class TaskTexts(NamedTuple):
    benchmark: str  # the file's name
    name: str
    problems: tuple[str, ...]  # in words, each another way of putting it
    solution: str  # the whole function where there is one; empty where the row has none


def read_task_texts(paths: list[str], key: str = "decontamination.benchmarks") -> list[TaskTexts]:
    """Of all files. Raises one UserError that names the config's key and every path that cannot be read."""
    tasks: list[TaskTexts] = []
    problems: list[str] = []
    for path in paths:
        try:
            for file in _files(Path(path)):
                tasks += _tasks(file)
        except UserError as error:
            problems.append(f"  {error}")
    if problems:
        raise UserError(f"{key}:\n" + "\n".join(problems))
    return tasks


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.name.endswith(_SUFFIXES))
    if not found:
        raise UserError(f"{path}: {'has no files of them' if path.is_dir() else 'is not there'}; {_EXPECTED}")
    return found


def _tasks(path: Path) -> list[TaskTexts]:
    tasks = task_texts_of(path.name.partition(".")[0], _rows(path))
    if not tasks:
        raise UserError(f"{path}: no row has one of {', '.join(_PROMPTS)}")
    return tasks


def task_texts_of(benchmark: str, rows: Iterable[dict[str, Any]]) -> list[TaskTexts]:
    """Those of a file's rows that have a prompt."""
    numbered = ((number, row, _text(row, _PROMPTS)) for number, row in enumerate(rows))
    return [
        TaskTexts(benchmark, _name(row, number), _problems(row, prompt), _solution(row, prompt))
        for number, row, prompt in numbered
        if prompt
    ]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for row in _values(path):
            yield row if isinstance(row, dict) else {}
    except (OSError, pa.ArrowException, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); {_EXPECTED}") from None


def _values(path: Path) -> list[Any]:
    if path.name.endswith(".parquet"):
        rows: list[Any] = pq.read_table(path).to_pylist()
        return rows
    compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    with pa.input_stream(str(path), compression) as stream:
        text = stream.read()
    if path.name.endswith(".json"):
        return value if isinstance(value := _loads(text), list) else [value]
    return [_loads(line) for line in text.split(b"\n") if line.strip()]


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)  # MBPP+ has infinities, which orjson refuses


def _text(row: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((row[key] for key in keys if isinstance(row.get(key), str)), "")


def _name(row: dict[str, Any], number: int) -> str:
    return next((str(row[key]) for key in _NUMBERS if key in row), str(number))


def _problems(row: dict[str, Any], prompt: str) -> tuple[str, ...]:
    if "canonical_solution" not in row:
        return (prompt,)
    # Together: that of a helper, "Returns the sum of a list.", is in many files.
    docstrings = " ".join(first or second for first, second in _DOCSTRING.findall(prompt))
    return tuple(filter(None, (docstrings or prompt, _text(row, ("instruct_prompt",)).partition(_CONTINUES)[0])))


def _solution(row: dict[str, Any], prompt: str) -> str:
    body = _text(row, ("canonical_solution",))
    if body:
        # A body alone says little: `return a + b` is in many files that are nobody's solution.
        return f"{prompt}\n{body}" if body.lstrip("\r\n")[:1].isspace() else body
    return _text(row, ("code", "reference_code")) or _first_of(row.get("solutions"))


def _first_of(programs: Any) -> str:
    """Of APPS's list, in JSON. It has 23 for each task, and StarCoder leaves them all out for their number."""
    try:
        programs = json.loads(programs) if isinstance(programs, str) and programs else programs
    except ValueError:
        return ""
    return str(programs[0]) if isinstance(programs, list) and programs else ""
