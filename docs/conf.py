"""The site of these pages, by Sphinx: `make docs`. Its root is the project's, so that links are those of the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
CONTENTS = {
    "How to": ["cluster", "annotation", "synthesis", "evaluation", "operations", "scaling"],
    "How it works": ["how-it-works", "data-rules", "decisions/corpus-engine", "results"],
}

project = html_title = "snowcoder"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "docs"]
myst_heading_anchors = 6  # as GitHub makes them
myst_links_external_new_tab = False
highlight_language = "bash"
html_theme = "furo"  # the reader's own fonts: a page asks no other host for anything
html_show_sphinx = html_copy_source = False


def add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """The table of contents, which GitHub would show as text."""
    if page == root_doc:
        parts = {caption: [f"docs/{name}" for name in names] for caption, names in CONTENTS.items()}
        parts["The project"] = ["CONTRIBUTING", "CHANGELOG"]
        trees = ["\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", *parts[caption], "```"]) for caption in parts]
        source[0] += "\n" + "\n\n".join(trees) + "\n"


def add_index(app: Sphinx, error: Exception | None) -> None:
    if not error:
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_index)
