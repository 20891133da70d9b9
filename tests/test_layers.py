"""Each import of the package runs down: the order of its layers is written here, and no modules import in a circle."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import snowcoder

ROOT = Path(snowcoder.__file__).parent
# From the ground up. What stands in one line knows nothing of what stands in its own line or below it.
LAYERS = [
    ["errors", "readable", "permutation", "ports", "shipped", "verbs"],
    ["usage", "packages", "progress", "sandbox", "answers", "project"],
    ["config"],
    ["storage"],
    ["lineage"],
    ["stages", "pretrained", "pages"],
    ["tokenization", "model"],
    ["index"],
    ["mixture", "corpus"],
    ["training", "annotation"],
    ["planning", "synthesis", "export"],
    ["dryrun", "guided"],
    ["evaluation", "finetuning", "report", "doctor"],
    ["ablation", "demo", "repair"],
    ["cli"],
    ["__main__"],
]
LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages}


def imports_of(source: str, modules: set[str]) -> Iterator[str]:
    """Modules of snowcoder that a module imports, anywhere in its text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in modules else node.module for name in names)


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Module -> modules of snowcoder that it imports."""
    paths = {
        ".".join(["snowcoder", *path.relative_to(ROOT).with_suffix("").parts]): path for path in ROOT.rglob("*.py")
    }
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items() if "judge" not in path.parts}
    return {name: set(imports_of(path.read_text(), set(paths))) & set(paths) - {name} for name, path in paths.items()}


def _name(path: Path) -> str:
    return ".".join(["snowcoder", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")


def upward(imports: dict[str, set[str]]) -> list[str]:
    def layer(module: str) -> str:
        return module.split(".")[1]

    return [
        f"{module} imports {other}"
        for module, others in sorted(imports.items())
        for other in sorted(others - {"snowcoder"})
        if module != "snowcoder" and layer(module) != layer(other) and LEVEL[layer(module)] <= LEVEL[layer(other)]
    ]


def test_every_import_runs_down(imports: dict[str, set[str]]) -> None:
    assert upward(imports) == []


def test_no_modules_import_in_a_circle(imports: dict[str, set[str]]) -> None:
    TopologicalSorter(imports).prepare()  # raises CycleError, which names them


def test_a_circle_is_seen(imports: dict[str, set[str]]) -> None:
    back = {"snowcoder.errors": {"snowcoder.storage.store"}}
    with pytest.raises(CycleError):
        TopologicalSorter(imports | back).prepare()


def test_an_import_that_runs_up_is_seen(imports: dict[str, set[str]]) -> None:
    planted = defaultdict(set, {"snowcoder.storage.disk": {"snowcoder.training.loop"}})
    assert upward(planted) == ["snowcoder.storage.disk imports snowcoder.training.loop"]
    source = "def f():\n    from snowcoder.training import loop\n"
    assert [*imports_of(source, set(imports))] == ["snowcoder.training.loop"]


def test_a_verb_is_found_under_its_name() -> None:
    """`snowcoder X Y` in Y.py; `import` is a word of Python's own."""
    from snowcoder.cli import VERBS

    others = {name: verb.target for name, verb in VERBS.items() if not _is_of(name, verb.target)}
    assert others == {"import": "snowcoder.export.from_hf:run"}


def _is_of(name: str, target: str) -> bool:
    return target.partition(":")[0].rpartition(".")[2] == name.split()[-1] and target.endswith(":run")
