"""Prompts that begin alike are read once, and what is written behind them stays what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from snowcoder.evaluation import prefix
from snowcoder.evaluation.prefix import model_inputs


@pytest.fixture(scope="module")
def model(small_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(small_model).eval()


ALIKE = list(range(100, 140))
ROWS = [[*ALIKE, 7], [*ALIKE, 8, 9, 10], ALIKE, [*ALIKE, 11, 12]]


@torch.inference_mode()
def written(model: Any, rows: list[list[int]]) -> list[list[int]]:
    inputs = model_inputs(model, rows, 0)
    found = model.generate(**inputs, max_new_tokens=12, do_sample=False, pad_token_id=0)
    texts: list[list[int]] = found[:, inputs["input_ids"].shape[1] :].tolist()
    return texts


def test_what_rows_have_in_common_is_read_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = model_inputs(model, ROWS, 0)
    assert shared["past_key_values"].get_seq_length() == len(ALIKE) - 1
    assert shared["input_ids"].shape == shared["attention_mask"].shape == (4, len(ALIKE) + 3)
    assert shared["attention_mask"].sum(1).tolist() == [len(row) for row in ROWS]
    together = written(model, ROWS)
    monkeypatch.setattr(prefix, "_WORTH", 1000)
    assert "past_key_values" not in model_inputs(model, ROWS, 0)
    assert written(model, ROWS) == together == [written(model, [row])[0] for row in ROWS]


def test_rows_that_differ_at_once_are_read_as_they_are(model: Any) -> None:
    rows = [[1, *ALIKE], [2, *ALIKE, 3]]
    inputs = model_inputs(model, rows, 0)
    assert "past_key_values" not in inputs
    assert inputs["input_ids"].tolist() == [[0, 1, *ALIKE], [2, *ALIKE, 3]]
