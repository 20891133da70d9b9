"""docs/packages.md names what pyproject.toml does, with the licences that the packages have."""

from __future__ import annotations

import re
from importlib import metadata

import pytest

from docs.packages import RUNTIME, direct, is_permissive, licence_of
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "packages.md").read_text()
MADE_ANEW = "make it anew: python docs/packages.py > docs/packages.md"
ROWS = re.findall(r"^\| ([\w-]+) \| ([^|]+) \|(?: (.+) \|)?$", PAGE.partition("## Licences")[2], re.MULTILINE)
LICENCES = {name: licence for name, licence, _ in ROWS if name not in ("package", "---")}
EXTRAS = {name: extras.split(", ") for name, _, extras in ROWS if extras and name in direct()}


def test_it_names_each_package_with_its_extras() -> None:
    expected = {name: [extra or "always" for extra in extras] for name, extras in direct().items()}
    assert expected == EXTRAS, MADE_ANEW
    assert all(name == "package" or name in EXTRAS for name, _, extras in ROWS if extras.strip("- ")), MADE_ANEW


def test_it_has_a_size_for_each_role() -> None:
    roles = re.findall(r"^\| (the base|`\w+`) \| .+ \| \d+ \| [\d,]+", PAGE, re.MULTILINE)
    assert roles == ["the base", *(f"`{extra}`" for extra in RUNTIME)], MADE_ANEW


@pytest.mark.parametrize("package", direct())
def test_a_licence_is_that_of_the_package(package: str) -> None:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    assert LICENCES[package] == licence_of(package), MADE_ANEW


def test_what_is_not_permissive_is_said() -> None:
    (said,) = re.findall(r"^Not permissive: (.*)\.$", PAGE, re.MULTILINE)
    odd = sorted(name for name, licence in LICENCES.items() if not is_permissive(licence))
    assert said == ", ".join(f"{name} ({LICENCES[name]})" for name in odd)
    assert {"orjson", "publicsuffixlist", "tqdm"} <= {*odd}
    assert "not said" not in LICENCES.values()


@pytest.mark.parametrize(
    ("licence", "permissive"),
    [
        ("Apache-2.0 OR MIT", True),
        ("MPL-2.0 AND MIT", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("not said", False),
    ],
)
def test_permissive_is_what_is_known_to_be(licence: str, permissive: bool) -> None:
    assert is_permissive(licence) == permissive
