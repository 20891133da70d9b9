"""One word, one meaning: no two public classes or functions share a name, and CONTRIBUTING's words are in the code."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.test_layers import ROOT

CONTRIBUTING = (ROOT.parent / "CONTRIBUTING.md").read_text()
# They run in the sandbox, beside a program, and know nothing of the other names.
OUTSIDE = {ROOT / "sandbox" / "boot.py", *(ROOT / "evaluation" / "judge").glob("*.py")}
# Names that many modules have, since they are called by the same hands.
SHARED = {
    "run": "what a verb, or a rank, calls",
    "main": "what `python -m` calls",
    "evaluate": "how right a data rule is, in a module `evaluate` of each rule: docs/data-rules.md",
}
_DEFINED = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_ROW = re.compile(r"\| ([a-z ]+) \| .+ \| `([a-z_/]+\.py)` `(\w+)` \|")


def definitions() -> Iterator[tuple[str, str]]:
    """Names of public classes, functions and named types, each with its module's path."""
    for path in sorted(set(ROOT.rglob("*.py")) - OUTSIDE):
        for node in ast.parse(path.read_text()).body:
            name = node.name if isinstance(node, _DEFINED) else _named_type(node)
            if name and not name.startswith("_"):
                yield name, str(path.relative_to(ROOT))


def _named_type(node: ast.stmt) -> str | None:
    """Of `Name = dict[str, int]`, and the like."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        if re.fullmatch(r"[A-Z]\w*[a-z]\w*", name) and isinstance(node.value, ast.Subscript | ast.BinOp):
            return name
    return None


def test_no_two_things_have_one_name() -> None:
    places = defaultdict(list)
    for name, place in definitions():
        places[name].append(place)
    several = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in several.items() if name not in SHARED} == {}
    assert several.keys() == SHARED.keys()
    assert all(place.endswith("/evaluate.py") for place in places["evaluate"])


def test_the_words_are_in_the_code() -> None:
    table = CONTRIBUTING.partition("\n## Words\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    rows = [match.groups() for line in lines if (match := _ROW.fullmatch(line))]
    assert len(rows) == len(lines) > 9
    words = [word for word, *_ in rows]
    assert len(set(words)) == len(words)
    assert {(name, place) for _, place, name in rows} <= set(definitions())
