"""Stand-ins for what the paper's annotators learn from, made of what any machine has: see docs/results.md.

    python -m benchmarks.positives CLEAN_SHARDS BIGCODEBENCH.jsonl.gz TARGET

`hqcode`: BigCodeBench's tasks with their solutions, as hqcode has tasks and solutions that a language model wrote.
`instruct`: documented functions of the corpus as instruction and response, from which SelfCodeAlign starts too.
`educational_labels`: files of the corpus with a label from 0 to 5, counted by rules where the paper has Mixtral's.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from snowcoder.annotation.code_files import CodeFile, files_of_batch
from snowcoder.config.compose import load_config
from snowcoder.corpus.decontamination.task_texts import read_task_texts
from snowcoder.storage.shards import read_shard

_LABELLED = 4000  # files
_INSTRUCTIONS = 4000
_ROWS = 1000  # of a shard's row group
_COMMENT = re.compile(r"^[ \t]*(#|//|/?\*|\"\"\"|''')", re.MULTILINE)


def main(clean: str, benchmark: str, target: str) -> None:
    files = sorted(_files(Path(clean)), key=lambda file: xxhash.xxh3_64_intdigest(file.content.encode()))
    rows = {
        "hqcode": [_row(task.problems[0] + "\n" + task.solution, task.name) for task in read_task_texts([benchmark])],
        "instruct": [_row(text, path) for text, path in islice(_instructions(files), _INSTRUCTIONS)],
        "educational_labels": [
            _row(file.content, file.path, file.language) | {"score": str(educational_value(file.content))}
            for file in files[:_LABELLED]
        ],
    }
    for name, found in rows.items():
        folder = Path(target) / name
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(found), folder / "part-00000.parquet", row_group_size=_ROWS)
        print(f"{folder}: {len(found):,} files")


def educational_value(text: str) -> int:
    """Signs of a text that teaches: comments, few lines, short lines, definitions that are explained, examples."""
    lines = text.splitlines() or [""]
    comments, definitions = len(_COMMENT.findall(text)), len(re.findall(r"\b(def|class|function|func)\b", text))
    return sum(
        [
            comments >= len(lines) / 10,
            10 <= len(lines) <= 300,
            sum(map(len, lines)) / len(lines) <= 50,
            0 < definitions <= 2 * comments,
            bool(re.search(r">>> |\b[Ee]xamples?\b|\be\.g\.", text)),
        ]
    )


def _instructions(files: list[CodeFile]) -> Iterator[tuple[str, str]]:
    """Functions and methods of Python files that say in a docstring what they do and what they return."""
    for file in files:
        if file.language != "Python":
            continue
        try:
            nodes = list(ast.walk(ast.parse(file.content)))
        except (SyntaxError, ValueError, RecursionError):
            continue
        lines = re.split(r"\r\n|\r|\n", file.content)  # what Python counts as lines
        for node in nodes:
            if isinstance(node, ast.FunctionDef) and _is_told(node):
                code = textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))
                yield f"{ast.get_docstring(node)}\n\n```python\n{code}\n```\n", f"{file.path}:{node.name}"


def _is_told(node: ast.FunctionDef) -> bool:
    returns = any(isinstance(inner, ast.Return) and inner.value is not None for inner in ast.walk(node))
    return returns and len(ast.get_docstring(node) or "") >= 60 and len(node.body) >= 3


def _files(folder: Path) -> Iterator[CodeFile]:
    columns = load_config([]).index.columns
    for path in sorted(folder.glob("*.parquet")):
        for batch in read_shard(path, path.name, columns, 10 << 20):
            for row in files_of_batch(batch):
                yield from row.files


def _row(content: str, path: str, language: str = "Python") -> dict[str, Any]:
    return {"content": content, "repo_name": "stand-in", "path": path, "language": language}


if __name__ == "__main__":
    main(*sys.argv[1:])
