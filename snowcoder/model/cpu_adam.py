"""The CPU's stand-in for Transformer Engine's FusedAdam."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.adamw import adamw


class CpuAdam(torch.optim.Optimizer):
    """AdamW whose step lives in the param group, as in Transformer Engine and Apex.

    megatron-core's own fallback, torch.optim.AdamW, keeps a step per parameter, which its distributed
    optimizer can neither save nor restore.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        adam_w_mode: bool = True,
        capturable: bool = False,  # in a CUDA graph; asked since megatron-core 0.17
    ) -> None:
        assert adam_w_mode, "only decoupled weight decay"
        assert not capturable
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "bias_correction": True}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            if not params:
                continue
            group["step"] = int(group.get("step", 0)) + 1
            for param in params:
                if not self.state[param]:
                    self.state[param] = {"exp_avg": torch.zeros_like(param), "exp_avg_sq": torch.zeros_like(param)}
            adamw(
                params,
                [param.grad for param in params],
                [self.state[param]["exp_avg"] for param in params],
                [self.state[param]["exp_avg_sq"] for param in params],
                [],
                [torch.tensor(float(group["step"] - 1)) for _ in params],
                foreach=False,
                fused=False,
                capturable=False,
                amsgrad=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )
