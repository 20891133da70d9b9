"""What libraries get wrong in silence does not reach a training: docs/numerics.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from snowcoder.config.compose import load_config
from snowcoder.model import platform
from snowcoder.training.train import launch
from tests.tiny import LAYOUTS, tiny_overrides


def result_of(task: str, folder: Path, *more: str) -> dict[str, Any]:
    launch(f"tests.training.ranks:{task}", load_config(tiny_overrides(folder, *more)), "resolved.yaml", f"{folder}/out")
    found: dict[str, Any] = torch.load(folder / "out", weights_only=True)
    return found


def test_bf16_training_adds_an_embeddings_gradient_in_fp32_and_keeps_the_frequencies_of_rope(tmp_path: Path) -> None:
    found = result_of("numerics_in_bf16", tmp_path, *LAYOUTS["tp1"], "precision=bf16")
    assert found["gradient"].unique().tolist() == [0.0, 4096.0]  # torch's own F.embedding stops at 256
    assert (found["gradient"] == 4096.0).all(dim=1).nonzero().flatten().tolist() == [7]
    half = len(found["angles"]) // 2
    exact = 8191 * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    assert found["frequencies"].dtype == torch.float32
    assert torch.allclose(found["angles"][:half].double(), exact, rtol=1e-6)


@pytest.mark.parametrize(
    ("rows", "width", "tokens"), [(500, 64, 128), (4096, 128, 2048), (50, 1, 4096), (50, 257, 4096)]
)
def test_an_embeddings_gradient_is_right_but_for_its_last_rounding(rows: int, width: int, tokens: int) -> None:
    """Ids as skewed as a text's."""
    draw = torch.Generator().manual_seed(0)
    ids = (rows * torch.rand(2, tokens // 2, generator=draw) ** 4).long()
    gradient = (torch.randn(2, tokens // 2, width, generator=draw) + 0.3).bfloat16()
    weight = torch.randn(rows, width, generator=draw).bfloat16().requires_grad_()
    out = platform.embedding(ids, weight)
    assert torch.equal(out, F.embedding(ids, weight))
    out.backward(gradient)
    exact = torch.zeros(rows, width, dtype=torch.float64)
    exact.index_add_(0, ids.flatten(), gradient.flatten(0, 1).double())
    assert weight.grad is not None
    # One rounding to 8 bits. Sums near 0 have lost digits in fp32, too.
    assert torch.allclose(weight.grad.double(), exact, rtol=2**-8, atol=1e-3)


def test_the_losss_gradients_are_fp32_in_an_fp32_training(tmp_path: Path) -> None:
    """megatron-core's fused loss would round them to bf16: 4e-3."""
    found = result_of("gradients_of_the_loss", tmp_path, *LAYOUTS["tp1"], "precision=fp32")
    for name, theirs in found["theirs"].items():
        assert (found["ours"][name] - theirs).norm() < 1e-5 * theirs.norm(), name


def test_the_norm_of_a_large_gradient_is_exact(tmp_path: Path) -> None:
    """By torch's norm it would be too small by a fifth of a percent, on every rank by another part."""
    found = result_of("norm_of_many_numbers", tmp_path, *LAYOUTS["tp1"], "precision=fp32")
    assert found["squared"].item() == pytest.approx(2**22 * torch.tensor(0.1).double().item() ** 2, rel=1e-9)
