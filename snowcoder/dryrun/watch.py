"""Sees every operator of a step, on real tensors and on fake ones: what it allocates, sends and computes."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from snowcoder.dryrun.collectives import TrafficLedger
from snowcoder.dryrun.memory_ledger import MemoryLedger
from snowcoder.dryrun.stand_ins import NOT_ANSWERED, answer


def _cpu_attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))


def _cpu_attention_backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(gradient.shape, query.shape, key.shape, value.shape))


def _linear(x: Any, weight: Any, *_: Any) -> int:
    return 2 * int(x.numel()) * int(weight.shape[0])


def _added(_: Any, left: Any, right: Any, **__: Any) -> int:
    return 2 * int(left.numel()) * int(right.shape[1])


# That torch's own table lacks. By name: not every build of torch has the first.
_PRODUCTS: dict[str, Any] = {"mkldnn::_linear_pointwise": _linear, "aten::addmm_": _added}
_ATTENTION: dict[Any, Any] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _cpu_attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _cpu_attention_backward,
}


class Watch(TorchDispatchMode):
    """`fake`: tensors have no values, and what is asked of them is made up."""

    def __init__(self, granule: int, fake: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # its library has no types for it
        self.memory, self.fake = MemoryLedger(granule), fake
        self.stage = "build"
        self._names: dict[torch.nn.Module, str] = {}
        self._inside: list[str] = []  # names of modules whose forward pass is running
        self.forget()

    def forget(self) -> None:
        """Begin to count anew; what is alive stays."""
        self.traffic, self.matmul_flops, self.attention_flops = TrafficLedger(), 0.0, 0.0
        self.memory.forget_peak()

    def follow(self, models: list[torch.nn.Module]) -> None:
        """Name what is allocated in the forward pass of a module after it, all layers alike."""
        for model in models:
            self._names |= {module: _kind(name) for name, module in model.named_modules()}
        register_module_forward_pre_hook(self._enter)
        register_module_forward_hook(self._leave)

    def count_attention(self, flops: float) -> None:
        self.attention_flops += flops

    def count_matmul(self, flops: float) -> None:
        self.matmul_flops += flops

    def _enter(self, module: torch.nn.Module, _: Any) -> None:
        self._inside.append(self._names.get(module, self._inside[-1] if self._inside else "inputs"))

    def _leave(self, *_: Any) -> None:
        self._inside.pop()

    @property
    def where(self) -> str:
        """What the step is in, for an error."""
        return f"in {self.stage}" + (f", {self._inside[-1]}" if self._inside else "")

    @property
    def _holder(self) -> str:
        return self._inside[-1] if self._inside else self.stage

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "c10d":
            self.traffic.add(func.overloadpacket.__name__, args)
        out = answer(func, args) if self.fake else NOT_ANSWERED
        if out is NOT_ANSWERED:
            out = func(*args, **kwargs)
        self._count(func.overloadpacket, args, kwargs, out)
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.memory.add(leaf, self._holder, self.stage)
        return out

    def _count(self, operator: Any, args: Any, kwargs: Any, out: Any) -> None:
        if operator in _ATTENTION:  # first, for since torch 2.15 its table has them, too
            self.attention_flops += _ATTENTION[operator](*args)
        elif operator in flop_registry:
            formula: Any = flop_registry[operator]
            self.matmul_flops += formula(*args, **kwargs, out_val=out)
        elif operator._qualified_op_name in _PRODUCTS:
            self.matmul_flops += _PRODUCTS[operator._qualified_op_name](*args)


def _kind(name: str) -> str:
    """`decoder.layers.3.mlp.linear_fc1` -> `activations: mlp.linear_fc1`; the model itself computes the loss."""
    if not name or name == "output_layer":
        return "logits and loss"
    inner = re.sub(r"^decoder\.(layers\.\d+)?\.?", "", name)
    return f"activations: {inner or 'residual stream'}"
