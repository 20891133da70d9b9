"""Pages and cards are written by an installed snowcoder too, which knows of no commit."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest

import snowcoder
from snowcoder import __version__
from snowcoder.lineage.manifest import code_version

_WHICH = re.compile(r"\{\{ code\.version \}\}(\{% if code.*?\{% endif %\})?")
TEMPLATES = {str(path): path.read_text() for path in Path(snowcoder.__file__).parent.rglob("*.jinja")}


@pytest.mark.parametrize(
    "name",
    [name for name, text in TEMPLATES.items() if _WHICH.search(text)],
    ids=lambda name: "/".join(Path(name).parts[-2:]),
)
def test_where_there_is_no_checkout_the_version_is_enough(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _WHICH.search(TEMPLATES[name])
    assert found is not None
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(found[0])
    assert "abc" in template.render(code={"version": "1.2", "commit": "abc"})
    monkeypatch.setenv("PATH", "/nowhere")
    assert template.render(code=code_version.__wrapped__()).strip() == __version__
