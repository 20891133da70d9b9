"""One self-contained HTML page: a stage's template inside the common one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from snowcoder.lineage.manifest import code_version

_HERE = Path(__file__).parent


def render_page(template: Path, command: str, home: str | None, **values: Any) -> str:
    """A stage's template, which extends `page.html.jinja`, filled with `values`.

    `command` made the page; `home` leads from it to the run's own first page.
    """
    loader = jinja2.FileSystemLoader([template.parent, _HERE])
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["thousands"] = "{:,}".format
    environment.globals |= {"code": code_version(), "command": command, "home": home}
    return environment.get_template(template.name).render(**values)
