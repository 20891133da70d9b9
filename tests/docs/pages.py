"""The pages of the project: README, CONTRIBUTING and docs/, their text and their code apart."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(text: str, language: str = "") -> list[str]:
    """Blocks of code in a language; those without one are commands."""
    return [block for kind, block in _FENCE.findall(text) if kind == language]


def section(heading: str) -> str:
    """What stands in the README below one of its headings of the second level."""
    return (ROOT / "README.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Where links within the page can lead: its headings, as GitHub writes them in links."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
