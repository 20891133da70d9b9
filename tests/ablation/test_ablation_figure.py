"""The ablation's figure, of a comparison that is made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from snowcoder.ablation.ablate import FIGURE, _draw
from snowcoder.config.compose import load_config


def change(level: str, after: str, value: float) -> dict[str, Any]:
    estimate = {"value": value, "low": value - 0.01, "high": value + 0.02}
    return {"level": level, "before": "raw", "after": after, "difference": estimate}


@pytest.mark.parametrize("texts", [["MBPP", "HumanEval"], []])
def test_it_has_a_point_for_each_variant_and_text_and_none_is_drawn_of_nothing(
    tmp_path: Path, texts: list[str]
) -> None:
    config = load_config(["recipe=laptop", f"run.dir={tmp_path}", "ablation=selection"])
    changes = [change(text, variant, -0.05) for text in texts for variant in ("edu", "hq")]
    folder = tmp_path / "ablations" / "selection"
    (folder / "evaluation").mkdir(parents=True)
    (folder / "evaluation" / "results.json").write_text(json.dumps({"changes": {"bits_per_byte": changes}}))
    _draw(config)
    assert (folder / FIGURE).is_file() == bool(texts)
    if texts:
        image = ElementTree.parse(folder / FIGURE)
        drawn = [each.get("id", "") for each in image.iter()]
        assert (
            sum(name.startswith("LineCollection_") for name in drawn) == 4
        )  # a variant's intervals, and its entry in the legend
