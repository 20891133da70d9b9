"""Linear layers for CPUs: the product that is a weight's gradient is added to the sum over micro batches as it is made.

It is what megatron-core's gradient_accumulation_fusion does on GPUs: no gradient of a micro batch alone is ever
written, read and added.
"""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.tensor_parallel import (
    ColumnParallelLinear,
    RowParallelLinear,
    copy_to_tensor_model_parallel_region,
    gather_from_sequence_parallel_region,
)

Gradients = tuple[torch.Tensor | None, ...]
_ONEDNN = torch.backends.mkldnn.is_available()  # not in every build of torch


def product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """x [..., in] and weight [out, in] of float32 or bfloat16 -> [..., out], as torch's linear without a bias.

    torch gives float32 products to MKL, which alone on an AMD core reaches 92 GFLOP/s of oneDNN's 105. bfloat16 it
    gives to oneDNN anyway.
    """
    if x.dtype == torch.float32 and _ONEDNN:
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
        return out
    return torch.matmul(x, weight.t())


class _LinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Gradients:
        (x, weight), (gradient,) = ctx.saved_tensors, gradients
        return product(gradient, weight.t()), add_to_gradient(weight, gradient.flatten(0, -2), x.flatten(0, -2))


def add_to_gradient(weight: torch.Tensor, gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Add gradient [n, out] transposed times x [n, in], float32 or bfloat16, to megatron-core's sum for the weight.

    Returns what autograd is told: the gradient, if there is no such sum (a model that is not trained); else a tensor
    of which megatron-core looks at nothing, or adds it to the sum (`zero_out_wgrad`: a tied embedding, whose other
    part autograd adds to it).
    """
    total = getattr(weight, "main_grad", None)
    if total is None:
        return torch.mm(gradient.t(), x)
    if total.dtype == x.dtype:
        total.addmm_(gradient.t(), x)
    else:
        total.add_(torch.mm(gradient.t(), x))
    weight.grad_added_to_main_grad = True  # type: ignore[attr-defined]  # megatron-core's word for it
    return torch.zeros_like(weight) if getattr(weight, "zero_out_wgrad", False) else torch.empty_like(weight)


def gathered(x: torch.Tensor, sequence_parallel: bool, group: Any) -> torch.Tensor:
    """What a layer whose weight's rows are split over tensor ranks reads: [s, b, h], float32 or bfloat16, whole."""
    if sequence_parallel:
        whole: torch.Tensor = gather_from_sequence_parallel_region(x, tensor_parallel_output_grad=True, group=group)
        return whole
    same: torch.Tensor = copy_to_tensor_model_parallel_region(x, group=group)
    return same


class CpuColumnLinear(ColumnParallelLinear):  # type: ignore[misc]  # its library has no types
    """The weight's rows are split."""

    def _forward_impl(self, input: torch.Tensor, weight: torch.Tensor, *_: Any, **how: Any) -> torch.Tensor:
        if how["sequence_parallel"] or how["allreduce_dgrad"]:
            input = gathered(input, how["sequence_parallel"], self.tp_group)
        out: torch.Tensor = _LinearFunction.apply(input, weight)  # type: ignore[no-untyped-call]
        return out


class CpuRowLinear(RowParallelLinear):  # type: ignore[misc]
    """The weight's columns are split."""

    def _forward_impl(self, input: torch.Tensor, weight: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        out: torch.Tensor = _LinearFunction.apply(input, weight)  # type: ignore[no-untyped-call]
        return out
