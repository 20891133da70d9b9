"""Each package says in a sentence what it is; CONTRIBUTING.md has these sentences, in the order of the layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_layers import LAYERS, ROOT

CONTRIBUTING = (ROOT.parent / "CONTRIBUTING.md").read_text()
PACKAGES = sorted(path.parent for path in ROOT.rglob("__init__.py"))


def sentence(path: Path) -> str:
    """The first line of a module's docstring, or of a package's."""
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return (ast.get_docstring(ast.parse(source.read_text())) or "").partition("\n")[0]


def rows() -> Iterator[str]:
    for layer in LAYERS:
        for top in sorted(layer):
            inner = [package for package in PACKAGES if package.is_relative_to(ROOT / top)]
            for path in inner or [ROOT / top]:
                name = f"{path.relative_to(ROOT)}{'/' if path.is_dir() else '.py'}"
                yield f"| `{name}` | {sentence(path)} |"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT.parent)))
def test_a_package_says_what_it_is(package: Path) -> None:
    assert sentence(package).endswith(".")
    assert len(sentence(package).split()) >= 5


def test_the_source_map_is_what_the_packages_say() -> None:
    expected = "\n".join(["| in `snowcoder/` | |", "| --- | --- |", *rows()])
    assert expected in CONTRIBUTING, f"the table of CONTRIBUTING.md should be:\n\n{expected}\n"
