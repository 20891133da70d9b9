"""The site of these pages, by Sphinx (`make docs`). Its root is the project's, so that links lead where GitHub's do."""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
CONTENTS = {
    "How to": [
        "docs/packages",
        "docs/cluster",
        "docs/annotation",
        "docs/synthesis",
        "docs/evaluation",
        "docs/repair",
        "docs/operations",
        "docs/scaling",
        "docs/dry-run",
        "docs/laptop",
    ],
    "How it works": [
        "docs/how-it-works",
        "docs/numerics",
        "docs/configuration",
        "docs/data-rules",
        "docs/decisions/corpus-engine",
        "docs/results",
    ],
    "The project": ["CONTRIBUTING", "CHANGELOG"],
}

project = html_title = "snowcoder"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "docs"]
myst_heading_anchors = 6  # as GitHub makes them
highlight_language = "bash"
html_theme = "furo"  # the reader's own fonts: a page asks no other host for anything
html_show_sphinx = html_copy_source = False


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """The table of contents, which GitHub would show as text."""
    if name == root_doc:
        for caption, pages in CONTENTS.items():
            source[0] += "\n".join(["\n```{toctree}", ":hidden:", f":caption: {caption}", *pages, "```\n"])


def add_index(app: Sphinx, error: Exception | None) -> None:
    if not error:
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_index)
