"""RMSNorm, SwiGLU and rotary positions for CPUs: few passes over memory, and little kept for the backward pass.

Each is megatron-core's own sequence of operations up to rounding. Autograd would keep the result of each of these
operations; here the inputs alone are kept, and results are written in place.
"""

from __future__ import annotations

from typing import Any

import torch

from snowcoder.model.linear import Gradients

_ROWS = 128  # at a time: what is computed of so many tokens stays in the core's cache


class _RMSNormFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32).square_().div_(x.size(-1))
        scale = mean_square.add_(eps).rsqrt_().to(x.dtype)
        ctx.save_for_backward(x, weight, scale)
        normed: torch.Tensor = x * scale
        return normed.mul_(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Gradients:
        (x, weight, scale), (gradient,) = ctx.saved_tensors, gradients
        normed: torch.Tensor = x * scale
        product = gradient * normed
        mean = torch.matmul(product, weight).unsqueeze(-1).div_(x.size(-1))
        d_x = (gradient * weight).addcmul_(normed, mean, value=-1).mul_(scale)
        return d_x, product.flatten(0, -2).sum(0), None


class RMSNorm(torch.nn.RMSNorm):
    """x [..., h] over the root of its mean square, times the weight [h] (Zhang and Sennrich, 2019)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., h] -> [..., h], float32 or bfloat16."""
        assert self.eps is not None
        normed: torch.Tensor = _RMSNormFunction.apply(x, self.weight, self.eps)  # type: ignore[no-untyped-call]
        return normed


class _SwiGLUFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        gate, up = x.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Gradients:
        (x,) = ctx.saved_tensors
        d_x = torch.empty_like(x)
        for part in zip(*(tensor.flatten(0, -2).split(_ROWS) for tensor in (x, *gradients, d_x)), strict=True):
            _swiglu_backward(*part)
        return (d_x,)


def _swiglu_backward(x: torch.Tensor, gradient: torch.Tensor, d_x: torch.Tensor) -> None:
    (gate, up), (d_gate, d_up) = x.chunk(2, dim=-1), d_x.chunk(2, dim=-1)
    sigmoid = gate.sigmoid()
    silu = torch.mul(gate, sigmoid, out=d_up)
    torch.addcmul(silu, sigmoid, 1 - silu, out=d_gate)  # the derivative of silu
    d_gate.mul_(up).mul_(gradient)
    d_up.mul_(gradient)


def swiglu(x: torch.Tensor, bias: None = None, *_: Any) -> torch.Tensor:
    """x [..., 2f], gate before up -> silu(gate) * up, [..., f], float32 or bfloat16 (Shazeer, 2020)."""
    assert bias is None
    out: torch.Tensor = _SwiGLUFunction.apply(x)  # type: ignore[no-untyped-call]
    return out


class _RotaryFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _rotated(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Gradients:
        cos, sin = ctx.saved_tensors
        return _rotated(gradients[0], cos, -sin), None, None


def _rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    out = torch.empty(x.shape, dtype=x.dtype)
    (first, second), (to_first, to_second) = x.chunk(2, dim=-1), out.chunk(2, dim=-1)
    torch.mul(first, cos, out=to_first).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=to_second).addcmul_(first, sin)
    return out


def rotate(x: torch.Tensor, angles: torch.Tensor, interleaved: bool = False) -> torch.Tensor:
    """Rotary positions (Su et al., 2021): x [s, b, heads, d] by float32 angles [s, 1, 1, d], whose halves are equal."""
    assert not interleaved
    half = angles[: len(x), ..., : angles.size(-1) // 2]
    out: torch.Tensor = _RotaryFunction.apply(x, half.cos().to(x.dtype), half.sin().to(x.dtype))  # type: ignore[no-untyped-call]
    return out


def rotate_packed(x: torch.Tensor, bounds: torch.Tensor, angles: torch.Tensor, **_: Any) -> torch.Tensor:
    """The same of documents laid end to end, x [s, heads, d], int32 bounds [n + 1]: each has positions from 0."""
    positions = torch.cat([angles[:size] for size in bounds.diff().tolist()])
    return rotate(x.unsqueeze(1), positions).squeeze(1)
