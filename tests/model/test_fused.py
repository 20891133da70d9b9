"""What CPUs compute in fewer passes equals megatron-core's and torch's own, forward and backward."""

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.distributed as dist
from megatron.core.fusions import fused_bias_swiglu
from megatron.core.models.common.embeddings.rope_utils import (
    _apply_rotary_pos_emb_bshd,
    _apply_rotary_pos_emb_thd,
)

from snowcoder.model import platform
from snowcoder.model.attention import FusedCoreAttention
from snowcoder.model.cross_entropy import VocabularyPart, linear_cross_entropy
from snowcoder.model.fused import RMSNorm, rotate, rotate_packed, swiglu
from snowcoder.model.linear import _LinearFunction, product

pytestmark = pytest.mark.skipif(not platform.ON_CPU, reason="what CPUs use")
Function = Callable[..., torch.Tensor]


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, requires_grad=True)


def assert_same(ours: Function, theirs: Function, *inputs: torch.Tensor, tolerance: float = 1e-5) -> None:
    """Outputs, and gradients of all inputs under a random gradient of the output."""
    found = [(output := function(*inputs)).detach().clone() for function in (ours, theirs)]
    gradient = torch.randn_like(output)
    torch.testing.assert_close(*found, rtol=tolerance, atol=tolerance)
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    gradients = [torch.autograd.grad(function(*inputs), wanted, gradient) for function in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=tolerance, atol=tolerance)


def test_rms_norm_is_torchs() -> None:
    norm = RMSNorm(48, eps=1e-5)
    assert_same(
        lambda x, weight: torch.func.functional_call(norm, {"weight": weight}, (x,)),
        lambda x, weight: torch.nn.functional.rms_norm(x, (48,), weight, 1e-5),
        draw(7, 3, 48),
        draw(48),
    )


def test_swiglu_is_megatrons() -> None:
    x = draw(300, 2, 64)  # more rows than are computed at a time
    assert_same(swiglu, fused_bias_swiglu.swiglu, x)
    gradient = torch.randn(300, 2, 32)
    ours = torch.autograd.grad(swiglu(x), x, gradient)[0]
    torch.testing.assert_close(ours, fused_bias_swiglu.swiglu_back(gradient, x.detach()))


def angles(length: int, size: int) -> torch.Tensor:
    half = torch.arange(length)[:, None, None, None] * torch.logspace(0, -3, size // 2)
    return torch.cat((half, half), dim=-1)


def test_rotation_is_megatrons() -> None:
    table = angles(9, 16)
    assert_same(lambda x: rotate(x, table), lambda x: _apply_rotary_pos_emb_bshd(x, table), draw(9, 2, 3, 16))


def test_rotation_of_documents_end_to_end_is_megatrons(group: dist.ProcessGroup) -> None:
    bounds, table = torch.tensor([0, 4, 5, 9]), angles(9, 16)
    assert_same(
        lambda x: rotate_packed(x, bounds, table),
        lambda x: _apply_rotary_pos_emb_thd(x, bounds, table[:4], cp_group=group),
        draw(9, 3, 16),
    )


@pytest.fixture
def group() -> Iterator[dist.ProcessGroup]:
    """Of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield dist.group.WORLD
    dist.destroy_process_group()


def test_loss_is_torchs_cross_entropy_of_a_linear_layer(group: dist.ProcessGroup) -> None:
    labels = torch.randint(0, 50, (600,))  # more than are computed at a time
    part = VocabularyPart(0, group)
    assert_same(
        lambda x, weight: linear_cross_entropy(x, weight, labels, part),
        lambda x, weight: torch.nn.functional.cross_entropy(x @ weight.t(), labels, reduction="none"),
        draw(600, 24),
        draw(50, 24),
        tolerance=5e-5,
    )


def test_loss_of_large_logits_is_finite(group: dist.ProcessGroup) -> None:
    x, weight = 300 * torch.eye(4), torch.eye(4)
    losses = linear_cross_entropy(x, weight, torch.tensor([0, 1, 2, 0]), VocabularyPart(0, group))
    assert losses.tolist() == [0.0, 0.0, 0.0, 300.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_product_is_torchs_linear_also_of_a_transposed_weight(dtype: torch.dtype) -> None:
    x, weight, wide = (torch.randn(*shape).to(dtype) for shape in ((3, 2, 40), (50, 40), (40, 50)))
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    for each in (weight, wide.t()):
        out = product(x, each)
        assert out.dtype == dtype
        expected = torch.nn.functional.linear(x.double(), each.double()).to(dtype)
        torch.testing.assert_close(out, expected, rtol=tolerance, atol=tolerance)


def test_attention_of_narrow_heads_in_bf16_is_that_in_fp32() -> None:
    attention = FusedCoreAttention.__new__(FusedCoreAttention)
    torch.nn.Module.__init__(attention)
    attention.scale, attention.grouped = None, True
    query, key, value = (torch.randn(2, heads, 9, 32).bfloat16() for heads in (4, 2, 2))
    exact = attention._causal(query.float(), key.float(), value.float())
    torch.testing.assert_close(attention._causal(query, key, value), exact.bfloat16(), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weight_gradients_of_micro_batches_are_added_up_in_fp32(dtype: torch.dtype) -> None:
    weight = torch.nn.Parameter(torch.randn(5, 4, dtype=dtype))
    weight.main_grad = torch.zeros(5, 4)
    batches = [(torch.randn(3, 2, 4, dtype=dtype), torch.randn(3, 2, 5, dtype=dtype)) for _ in range(2)]
    for x, gradient in batches:
        _LinearFunction.apply(x, weight).backward(gradient)
    expected = sum(g.float().flatten(0, 1).t() @ x.float().flatten(0, 1) for x, g in batches)
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(weight.main_grad, expected, rtol=tolerance, atol=tolerance)
    assert weight.grad_added_to_main_grad


def test_what_autograd_is_told_of_a_tied_weight_is_zero() -> None:
    """Its other part, of the embedding, is added to it."""
    weight = torch.nn.Parameter(torch.full((5, 4), 7.0))
    weight.main_grad, weight.zero_out_wgrad = torch.zeros(5, 4), True
    (_LinearFunction.apply(torch.ones(1, 2, 4), weight).sum() + weight.sum()).backward()
    assert weight.grad is not None
    assert weight.grad.eq(1).all()
    assert weight.main_grad.eq(2).all()
