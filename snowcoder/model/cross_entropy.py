"""The output layer and its loss in one, for CPUs: logits are written once, and become their own gradient in place."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.distributed as dist

from snowcoder.model.linear import Gradients, add_to_gradient, product

_ROWS = 256  # at a time: the logits of so many tokens stay in the cache


class VocabularyPart(NamedTuple):
    """Which rows of the output layer a tensor-parallel rank holds."""

    first: int
    group: dist.ProcessGroup


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, part: VocabularyPart
    ) -> torch.Tensor:
        labels = (labels - part.first).unsqueeze(1)
        here = (labels >= 0) & (labels < len(weight))
        labels = labels.where(here, 0)
        powers = product(x, weight).float()
        most, own, target = (torch.empty(len(x), 1) for _ in range(3))
        for some in zip(*(tensor.split(_ROWS) for tensor in (powers, labels, most, own, target)), strict=True):
            _to_powers(*some)
        highest = most.clone()
        dist.all_reduce(highest, dist.ReduceOp.MAX, group=part.group)
        scale = (most - highest).exp_()
        sums = torch.cat((own * scale, target * here), dim=1)
        dist.all_reduce(sums, group=part.group)
        total, target = sums.split(1, dim=1)
        ctx.save_for_backward(x, weight, labels, here, scale / total)
        ctx.powers = powers
        loss: torch.Tensor = total.log().add_(highest).sub_(target).squeeze(1)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Gradients:
        x, weight, labels, here, scale = ctx.saved_tensors
        gradient, powers = gradients[0].unsqueeze(1), ctx.powers
        del ctx.powers  # or they would stay until the whole backward pass has ended
        d_logits = powers.mul_(scale * gradient).scatter_add_(1, labels, -gradient * here).to(x.dtype)
        return product(d_logits, weight.t()), add_to_gradient(weight, d_logits, x), None, None


def _to_powers(
    logits: torch.Tensor, labels: torch.Tensor, most: torch.Tensor, own: torch.Tensor, target: torch.Tensor
) -> None:
    """Logits become e to them less the row's largest (`most`); `own` is their sum, `target` the label's logit."""
    torch.amax(logits, dim=1, keepdim=True, out=most)
    torch.gather(logits, 1, labels, out=target)
    torch.sum(logits.sub_(most).exp_(), dim=1, keepdim=True, out=own)


def linear_cross_entropy(
    x: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, part: VocabularyPart
) -> torch.Tensor:
    """x [n, h], weight [v, h] (this rank's part), int64 labels [n] -> each loss in nats, float32 [n].

    The loss can be differentiated once: the logits are overwritten.
    """
    loss: torch.Tensor = _LinearCrossEntropy.apply(x, weight, labels, part)  # type: ignore[no-untyped-call]
    return loss
