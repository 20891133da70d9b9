"""Whatever is public and takes, returns or holds arrays says their shapes and dtypes: `float64 [sections]`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.test_layers import ROOT

ARRAYS = {"ndarray", "NDArray", "memmap", "Tensor"}
WANTED = {
    "shape in brackets": re.compile(r"\[[^\]]*\]"),
    "dtype": re.compile(r"\b(bool|u?int(8|16|32|64)|float(16|32|64)|fp(16|32)|bf16|dtype)\b"),
}
SOURCES = {path.relative_to(ROOT.parent): path.read_text() for path in sorted(ROOT.rglob("*.py"))}
Alias = tuple[str, str]  # of a module, its own name for a type with arrays


def test_public_functions_on_arrays_say_shapes_and_dtypes() -> None:
    aliases = {
        (".".join(path.with_suffix("").parts), name)
        for path, source in SOURCES.items()
        for name in aliases_in(ast.parse(source))
    }
    problems = [f"{path}:{line}" for path, source in SOURCES.items() for line in lacking(source, aliases)]
    assert problems == [], "say it in the docstring, as in `float64 [sections] -> float32 [files]`:\n" + "\n".join(
        problems
    )


def aliases_in(tree: ast.Module) -> Iterator[str]:
    """`Encoded = tuple[np.ndarray, np.ndarray]`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call) and names_in(node.value) & ARRAYS:
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def names_in(*nodes: ast.AST | None) -> set[str]:
    found = (inner for node in nodes if node for inner in ast.walk(node))
    return {name for inner in found if (name := getattr(inner, "id", None) or getattr(inner, "attr", None))}


def lacking(source: str, aliases: set[Alias]) -> Iterator[str]:
    """A line for each thing that a public function, or a field of a public class, does not say."""
    tree, lines = ast.parse(source), source.splitlines()
    arrays = ARRAYS | set(aliases_in(tree)) | set(imported(tree, aliases))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    for owner in (tree, *classes):
        prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
        shared = (ast.get_docstring(owner) or "") if prefix else ""
        for node in owner.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_public(node.name):
                name, types, text = node.name, names_in(node.args, node.returns), ast.get_docstring(node) or ""
            elif prefix and isinstance(node, ast.AnnAssign):
                name, types, text = ast.unparse(node.target), names_in(node.annotation), comment(lines, node)
            else:
                continue
            if types & arrays:
                told = f"{shared}\n{text}"
                yield from (
                    f"{node.lineno}: {prefix}{name} names no {w}" for w, p in WANTED.items() if not p.search(told)
                )


def imported(tree: ast.Module, aliases: set[Alias]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (each.asname or each.name for each in node.names if (node.module, each.name) in aliases)


def is_public(name: str) -> bool:
    return not name.startswith("_") or name.startswith("__")


def comment(lines: list[str], field: ast.AnnAssign) -> str:
    """What stands behind a field, and in the lines of comments right before it."""
    end = first = field.lineno - 1
    while lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return "\n".join([*lines[first:end], lines[end].partition("#")[2]])


PLANTED = '''
Pair = tuple[np.ndarray, int]

def good(ids: np.ndarray) -> list[int]:
    """int64 [n]."""

def without_dtype(ids: np.ndarray) -> None:
    """Ids [n]."""

def without_all(count: int) -> Pair: ...

def without_shape(get: Callable[[str], torch.Tensor | None]) -> None:
    """fp32."""

def _private(ids: np.ndarray) -> None: ...

class Told:
    """All int64 [n]."""

    ids: np.ndarray

    def __call__(self) -> np.ndarray: ...

class Fields(NamedTuple):
    ids: np.ndarray  # int64 [n]
    # bool [n]
    mask: list[np.ndarray]
    rows: np.ndarray
    digest: str
    pairs: Theirs  # int64
'''


def test_what_is_not_said_is_found() -> None:
    source = "from snowcoder.other import Theirs" + PLANTED
    assert [line.partition(": ")[2] for line in lacking(source, {("snowcoder.other", "Theirs")})] == [
        "without_dtype names no dtype",
        "without_all names no shape in brackets",
        "without_all names no dtype",
        "without_shape names no shape in brackets",
        "Fields.rows names no shape in brackets",
        "Fields.rows names no dtype",
        "Fields.pairs names no shape in brackets",
    ]
