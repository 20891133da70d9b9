"""What the demo's phase 3 takes, by what the language model wrote."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from snowcoder.config.compose import load_config
from snowcoder.demo import demo
from snowcoder.errors import OperationError


@pytest.mark.parametrize(
    ("written", "tokens", "sources"),
    [
        ({"synthetic_python": 531, "synthetic_other": 120}, 2048, {"synthetic_python", "synthetic_other"}),
        ({"synthetic_python": 300, "synthetic_other": 0}, 1024, {"synthetic_python"}),  # all of it is held out
        ({"synthetic_python": 300}, 1024, {"synthetic_python"}),
    ],
)
def test_no_file_is_read_more_than_four_times(
    monkeypatch: pytest.MonkeyPatch, written: dict[str, int], tokens: int, sources: set[str]
) -> None:
    monkeypatch.setattr(demo, "IndexedSource", lambda folder: SimpleNamespace(tokens=written[Path(folder).name]))
    config = load_config(["recipe=demo"])
    phase = load_config(["recipe=demo", *demo._phase3(config, list(written))]).phases["phase3"]
    assert (phase.tokens, set(phase.sources)) == (tokens, sources)
    assert all(phase.tokens * source.share <= 4 * written[name] for name, source in phase.sources.items())


def test_too_little_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "IndexedSource", lambda folder: SimpleNamespace(tokens=100))
    with pytest.raises(OperationError, match="too few for a step"):
        demo._phase3(load_config(["recipe=demo"]), ["synthetic_python"])
