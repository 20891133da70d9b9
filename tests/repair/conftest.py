"""A model that writes patches, and bugs for it."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from tests.sandboxes import sandbox
from tests.small_model import small_model

__all__ = ["sandbox", "small_model"]

PYTHON_HEAD = "def largest(numbers: list[int]) -> int:\n"
PYTHON = {
    "task_id": "Python/0",
    "prompt": PYTHON_HEAD + '    """The largest of the numbers."""\n',
    "declaration": PYTHON_HEAD,
    "buggy_solution": "    found = numbers[0]\n    for each in numbers:\n"
    "        found = min(found, each)\n    return found\n",
    "canonical_solution": "    found = numbers[0]\n    for each in numbers:\n"
    "        found = max(found, each)\n    return found\n",
    "test": "\ndef check(largest):\n    assert largest([1, 3, 2]) == 3\n\ncheck(largest)",
}
JAVA_HEAD = "import java.util.*;\n\nclass Solution {\n    public int largest(List<Integer> numbers) {\n"
JAVA = {
    "task_id": "Java/0",
    "prompt": JAVA_HEAD,
    "declaration": JAVA_HEAD,
    "buggy_solution": "        int found = Collections.min(numbers);\n        return found;\n    }\n}",
    "canonical_solution": "        int found = Collections.max(numbers);\n        return found;\n    }\n}",
    "test": "public class Main {\n    public static void main(String[] args) {\n"
    "        if (new Solution().largest(Arrays.asList(1, 3, 2)) != 3) {\n"
    "            throw new AssertionError();\n        }\n    }\n}\n",
}


@pytest.fixture
def java() -> None:
    if shutil.which("javac") is None:
        pytest.skip("there is no javac on the PATH: patches in Java cannot be compiled")


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: dict[str, Any]) -> Path:
        path = tmp_path / "bugs.jsonl.gz"
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
        return path

    return write


@pytest.fixture
def config_of(tmp_path: Path, write_rows: Callable[..., Path], small_model: Path) -> Callable[..., Config]:
    def make(*overrides: str, rows: tuple[dict[str, Any], ...] = (PYTHON,), language: str = "python") -> Config:
        data = write_rows(*rows)
        places = [f"repair.data={data}", f"repair.model={small_model}", f"repair.dir={tmp_path / 'repair'}"]
        return load_config([f"repair=humanevalfix_{language}", *places, "repair.workers=2", *overrides])

    return make
