"""How often decontamination is wrong, with real benchmarks: hits in real code, and planted tasks that are not found.

python -m benchmarks.data_rules.decontamination BENCHMARKS SHARDS

Both are folders or files. Every hit is printed, to be looked at: whether it is a task's copy nobody but a reader can
tell. Each task is planted between two files of the shards that hold no task, in ten ways.
"""

from __future__ import annotations

import ast
import builtins
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data_rules.arguments import arguments
from snowcoder.config.corpus_schema import DecontaminationConfig
from snowcoder.corpus.decontamination import Matcher
from snowcoder.corpus.decontamination.task_texts import TaskTexts, read_task_texts

_TASKS = 50  # of each file of tasks
_AT_ONCE = 1000
_DOCSTRING = (ast.FunctionDef, ast.ClassDef, ast.Module)


def main(benchmarks: str, shards: str) -> None:
    settings: dict[str, Any] = {"benchmarks": [benchmarks], "ngram": 10, "share": 0.1, "renamed": 0.6, "shortest": 3}
    known = {key: value for key, value in settings.items() if key in DecontaminationConfig.model_fields}  # older: fewer
    matcher = Matcher.build(DecontaminationConfig(**known))
    clean = _count_hits(matcher, Path(shards))
    _count_plants(matcher, _some_of(read_task_texts([benchmarks])), clean)


def _count_hits(matcher: Matcher, path: Path) -> list[str]:
    """Prints hits by language; returns some texts in Python without any."""
    files: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    clean: list[str] = []
    seconds, size = 0.0, 0
    for rows in _batches(path):
        contents = [row["content"] for row in rows]
        begun = time.process_time()
        found = matcher.find_all(contents)
        seconds, size = seconds + time.process_time() - begun, size + sum(map(len, contents))
        for row, each in zip(rows, found, strict=True):
            files[row["language"]] += 1
            hits[row["language"]] += bool(each)
            if each:
                print(row["language"], row["path"], *each[0][:3], f"{each[0].share:.2f}", each[0].excerpt, sep=" | ")
            elif row["language"] == "Python" and 300 < len(row["content"]) < 5000:
                clean.append(row["content"])
    print(f"\n{sum(files.values()):,} files, {size / 1e6 / seconds:.1f} MB/s")
    for language, count in files.most_common():
        print(f"{language:20} {count:7,} files {hits[language]:4} hits {1000 * hits[language] / count:7.3f} per 1,000")
    return clean


def _count_plants(matcher: Matcher, tasks: list[TaskTexts], clean: list[str]) -> None:
    rng = random.Random(1)
    planted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for task in tasks:
        before, after = rng.sample(clean, 2)
        for kind, text in _plants(task):
            hits = matcher.find(text if kind == "notebook" else f"{before}\n\n{text}\n\n{after}")
            planted[kind] += 1
            found[kind] += any(hit[:2] == task[:2] for hit in hits)
    for kind, count in planted.items():
        print(f"{kind:20} {count:5} planted {found[kind] / count:.3f} found")


def _plants(task: TaskTexts) -> Iterator[tuple[str, str]]:
    for problem in task.problems[:1]:
        yield "problem in comments", "# " + problem.replace("\n", "\n# ")
        yield "half the problem", "\n".join(problem.split()[: len(problem.split()) // 2])
    try:
        tree = ast.parse(task.solution)
    except SyntaxError:
        return
    if not tree.body:
        return
    lines = task.solution.splitlines(keepends=True)
    yield "exact", task.solution
    yield "notebook", json.dumps({"cells": [{"cell_type": "code", "source": lines}]}, indent=1)
    _drop_docstrings(tree)
    bare = ast.unparse(tree)
    yield "reformatted", bare.replace("    ", "\t").replace("'", '"')
    yield from _parts(bare.split("\n"))
    names = _commonest_names(tree)
    yield "two names changed", _renamed(bare, names[:2])
    yield "all names changed", _renamed(bare, names)


def _parts(lines: list[str]) -> Iterator[tuple[str, str]]:
    if len(lines) < 6:
        return
    half = len(lines) // 2
    yield "first half", "\n".join(lines[:half])
    yield "second half", "\n".join(lines[half:])
    changed = list(lines)
    for at in range(3, len(lines), 5):
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        changed[at] = f"{indent}log.debug('at step', state)"
    yield "every fifth changed", "\n".join(changed)


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, _DOCSTRING) and len(node.body) > 1 and ast.get_docstring(node) is not None:
            node.body = node.body[1:]


def _commonest_names(tree: ast.Module) -> list[str]:
    """Those that the code itself binds."""
    bound: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (bound if isinstance(node.ctx, ast.Store) else used)[node.id] += 1
        elif isinstance(node, (ast.arg, ast.FunctionDef)):
            bound[node.arg if isinstance(node, ast.arg) else node.name] += 1
    return [name for name, _ in (bound + used).most_common() if name in bound and not hasattr(builtins, name)]


def _renamed(code: str, names: list[str]) -> str:
    new = {name: f"other_{number}" for number, name in enumerate(names)}
    tree = ast.parse(code)
    for node in ast.walk(tree):
        for key in ("id", "arg", "name"):
            if isinstance(value := getattr(node, key, None), str):
                setattr(node, key, new.get(value, value))
    return ast.unparse(tree)


def _some_of(tasks: list[TaskTexts]) -> list[TaskTexts]:
    by_benchmark: dict[str, list[TaskTexts]] = defaultdict(list)
    for task in tasks:
        by_benchmark[task.benchmark].append(task)
    rng = random.Random(1)
    return [task for each in by_benchmark.values() for task in rng.sample(each, min(_TASKS, len(each)))]


def _batches(path: Path) -> Iterator[list[dict[str, str]]]:
    for file in sorted(path.rglob("part-*")) if path.is_dir() else [path]:
        rows = _rows(file)
        for first in range(0, len(rows), _AT_ONCE):
            yield rows[first : first + _AT_ONCE]


def _rows(file: Path) -> list[dict[str, str]]:
    if file.suffix == ".parquet":
        rows: list[dict[str, str]] = pq.read_table(file, columns=["path", "language", "content"]).to_pylist()
        return rows
    with pa.input_stream(str(file), "zstd" if file.suffix == ".zst" else None) as stream:
        return [json.loads(line) for line in stream.read().split(b"\n") if line]


if __name__ == "__main__":
    main(*arguments("decontamination", "BENCHMARKS SHARDS"))
