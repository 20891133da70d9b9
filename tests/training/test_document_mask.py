"""Packed documents: with the switch on, nothing of one reaches the next."""

from pathlib import Path

import pytest
import torch

from snowcoder.config.compose import load_config
from snowcoder.training.train import launch
from tests.tiny import LAYOUTS, tiny_overrides


@pytest.mark.parametrize("mask", [True, False])
def test_changing_one_document_changes_no_logit_of_the_next(tmp_path: Path, mask: bool) -> None:
    config = load_config(tiny_overrides(tmp_path, *LAYOUTS["tp1"], f"packing.document_mask={mask}"))
    output = tmp_path / "logits.pt"
    launch("tests.training.ranks:logits_of_packed_documents", config, "resolved.yaml", str(output))
    results = torch.load(output, weights_only=True)
    before, after = results["before"], results["after"]
    assert not torch.equal(before[0, :20], after[0, :20])
    # Without the mask the change must be seen, or this test could not fail.
    assert torch.equal(before[0, 20:], after[0, 20:]) == mask
    assert torch.equal(before[1], after[1])
    # A masked document is what it is when it stands alone: its positions begin at 0.
    assert torch.allclose(before[0, 20:41], results["alone"][0], atol=1e-5) == mask
