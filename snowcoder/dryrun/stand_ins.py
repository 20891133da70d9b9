"""What stands in for GPUs and for values: the only place where torch, megatron-core and our model are patched.

Only ever in a process of its own (see fleet.py). Two kinds of stand-ins:

- for values, that fake tensors do not have: a number asked of one is 1, a random state is empty;
- for kernels of Transformer Engine: they allocate what the kernels keep for the backward pass, and compute nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from types import SimpleNamespace
from typing import Any, Protocol

import torch
import torch.distributed as dist
import torch.distributed._tools.fake_collectives as fake_collectives  # noqa: F401  # registers c10d for fake tensors
from torch._C._distributed_c10d import FakeWork

NOT_ANSWERED = object()


class FlopCounts(Protocol):
    """Told of FLOPs that no operator of torch stands for."""

    def count_attention(self, flops: float) -> None: ...

    def count_matmul(self, flops: float) -> None: ...


def answer(func: Any, args: Any) -> Any:
    """Of what fake tensors cannot be asked."""
    if func is torch.ops.aten._local_scalar_dense.default:
        return 1.0 if args[0].dtype.is_floating_point else 1
    if func.namespace == "c10d" and "coalesced" in func.overloadpacket.__name__:  # torch has no fake ones
        return FakeWork().boxed()
    return NOT_ANSWERED


def install_for_values() -> None:
    """For any run on fake tensors. After `platform.install`."""
    _leave_random_state()
    _answer_for_all_ranks()
    _leave_modules_in_place()
    _norm_without_values()


class _InLine(Executor):
    """Does at once what a thread would do, which is in no mode: its tensors would be real, and unseen."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, function: Any, /, *arguments: Any, **more: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*arguments, **more))
        return done


def read_in_line() -> None:
    """For any watched step: its batches are read under the watch."""
    from snowcoder.training import read_ahead

    module: Any = read_ahead
    module.ThreadPoolExecutor = _InLine


def _leave_random_state() -> None:
    import megatron.core.tensor_parallel.random as mrandom

    def nothing(*_: Any, **__: Any) -> torch.Tensor:
        return torch.empty(0)

    cuda: Any = torch.cuda
    for module, name in (
        (mrandom, "_get_cuda_rng_state"),
        (torch, "get_rng_state"),
        (cuda, "get_rng_state"),
        (cuda.random, "get_rng_state"),
    ):
        setattr(module, name, nothing)
    for module, name in ((mrandom, "_set_cuda_rng_state"), (torch, "set_rng_state")):
        setattr(module, name, lambda *_, **__: None)


def _answer_for_all_ranks() -> None:
    """Objects: every rank says what this one says."""

    def all_gather_object(found: list[Any], own: Any, group: Any = None) -> None:
        found[:] = [own] * len(found)

    world: Any = dist
    world.all_gather_object = all_gather_object
    world.broadcast_object_list = lambda *_, **__: None


def _leave_modules_in_place() -> None:
    """`Module.to` swaps parameters, which fake ones do not allow; device and dtype are right already."""

    def stay(self: Any, change: Callable[[Any], Any], recurse: bool = True) -> Any:
        assert all(change(parameter).dtype == parameter.dtype for parameter in self.parameters())
        return self

    module: Any = torch.nn.Module
    module._apply = stay


def _norm_without_values() -> None:
    """megatron-core's CPU version makes a tensor of tensors' values."""
    import megatron.core.optimizer.clip_grads as clip_grads

    clip_grads.l2_norm_impl = lambda chunk, noop, lists, per_parameter: (torch.ones(1), None)


def install_for_engine(counts: FlopCounts) -> None:
    """Take the GPU's settings of our model, with stand-ins for the kernels, whose FLOPs `counts` is told."""
    from snowcoder.model import llama, platform

    platform.ON_CPU = False
    platform.device = lambda: torch.device("cpu")
    llama.TRANSFORMER_ENGINE = True
    llama.layer_spec = _layer_spec(counts)
    tensor: Any = torch.Tensor
    tensor.pin_memory = lambda self, *_, **__: self
    _without_pinning()
    _fuse_activation()
    _fuse_positions()
    _fuse_loss()
    _fuse_weight_gradients(counts)


def _without_pinning() -> None:
    factory: Any = torch.tensor
    stand_in: Any = lambda *args, **kwargs: factory(*args, **{**kwargs, "pin_memory": False})  # noqa: E731
    torch.tensor = stand_in


def _fuse_activation() -> None:
    from megatron.core.fusions import fused_bias_swiglu as swiglu

    def half(gate_and_up: torch.Tensor, *_: Any) -> torch.Tensor:
        return gate_and_up.new_empty(*gate_and_up.shape[:-1], gate_and_up.shape[-1] // 2)

    swiglu.swiglu = swiglu.bias_swiglu = half
    swiglu.swiglu_back = swiglu.bias_swiglu_back = lambda gradient, inputs, *_: torch.empty_like(inputs)


def _apply(function: Any, *arguments: Any) -> Any:
    return function.apply(*arguments)


class _LikeInput(torch.autograd.Function):
    """An elementwise kernel that keeps nothing."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.new_empty(tensor.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0].new_empty(gradients[0].shape)


def _fuse_positions() -> None:
    from megatron.core.models.common.embeddings import rope_utils

    fused: Any = lambda tensor, *_, **__: _apply(_LikeInput, tensor)  # noqa: E731
    rope_utils.fused_apply_rotary_pos_emb = rope_utils.fused_apply_rotary_pos_emb_thd = fused


class _Loss(torch.autograd.Function):
    """Leaves the gradient where the logits were; tensor ranks gather their maxima, sums and predicted logits."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, group: Any) -> torch.Tensor:
        ctx.save_for_backward(logits)
        rows = logits.shape[:-1].numel()
        own = torch.empty(rows * 3, dtype=torch.float32)
        if dist.get_world_size(group) > 1:
            dist.all_gather_into_tensor(torch.empty(len(own) * dist.get_world_size(group)), own, group=group)
        return torch.empty(logits.shape[:-1], dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        return ctx.saved_tensors[0].detach(), None


def _fuse_loss() -> None:
    from megatron.core.models.common.language_module import language_module

    language_module.te_parallel_cross_entropy = lambda logits, labels, group, *_: _apply(_Loss, logits, group)


def _fuse_weight_gradients(counts: FlopCounts) -> None:
    """The product is added to the gradient buffer where it lies."""
    import megatron.core.tensor_parallel.layers as layers

    def accumulate(inputs: torch.Tensor, gradient: torch.Tensor, buffer: torch.Tensor) -> None:
        counts.count_matmul(2.0 * inputs.numel() * gradient.shape[-1])

    layers.fused_weight_gradient_mlp_cuda = SimpleNamespace(
        wgrad_gemm_accum_fp32=accumulate, wgrad_gemm_accum_fp16=accumulate
    )


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(inputs, weight, torch.empty(inputs.shape[:-1], dtype=torch.float32))
        return torch.empty_like(inputs)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        inputs, weight, _scale = ctx.saved_tensors
        return torch.empty_like(inputs), torch.empty_like(weight)


class _EngineNorm(torch.nn.Module):
    """RMSNorm as Transformer Engine's kernel keeps it: its input and one number a token."""

    def __init__(self, config: Any, hidden_size: int, eps: float = 1e-5, **_: Any) -> None:
        super().__init__()
        weight: Any = torch.nn.Parameter(torch.empty(hidden_size, dtype=config.params_dtype))
        weight.sequence_parallel = config.sequence_parallel
        self.weight = weight

    def forward(self, inputs: torch.Tensor) -> Any:
        return _apply(_Norm, inputs, self.weight)


class _Attention(torch.autograd.Function):
    """Keeps q, k, v, the output and a log-sum-exp a query. Context ranks pass k and v on, and their gradients back.

    v comes as a part of the product with q and k, and is copied (2.11: dot_product_attention/utils.py, get_qkv_layout,
    as its strides are not k's), so that the product need not stay.
    """

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any, count: Any) -> torch.Tensor:
        value = value.contiguous()
        out: torch.Tensor = query.new_empty(query.shape)
        scores = torch.empty(query.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, out, scores)
        ctx.count = count
        _pass_around(key, rounds=_context_size() - 1)
        count(2 * _square(query, key))
        return out

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        query, key, value = ctx.saved_tensors[:3]
        _pass_around(key, rounds=2 * _context_size() - 1 if _context_size() > 1 else 0)
        ctx.count(5 * _square(query, key))  # the scores again, and four products for the gradients
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value), None


def _context_size() -> int:
    from megatron.core import parallel_state

    return int(parallel_state.get_context_parallel_world_size())


def _square(query: torch.Tensor, key: torch.Tensor) -> float:
    """FLOPs of one product of all queries with all keys, of all context ranks: [s, b, heads, d], packed without b."""
    return 2.0 * query.numel() * key.shape[0] * _context_size()


def _pass_around(key: torch.Tensor, rounds: int) -> None:
    from megatron.core import parallel_state

    group = parallel_state.get_context_parallel_group()
    ranks = dist.get_process_group_ranks(group)
    place = ranks.index(dist.get_rank())
    following, previous = ranks[(place + 1) % len(ranks)], ranks[place - 1]
    for _ in range(rounds):
        own, other = (key.new_empty(2, *key.shape) for _ in range(2))
        calls = [dist.P2POp(dist.isend, own, following, group), dist.P2POp(dist.irecv, other, previous, group)]
        for work in dist.batch_isend_irecv(calls):
            work.wait()


def _layer_spec(counts: FlopCounts) -> Callable[..., Any]:
    """megatron-core's local spec with what stands in for Transformer Engine."""
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_decoder_block_spec
    from megatron.core.tensor_parallel.layers import ColumnParallelLinear, RowParallelLinear

    from snowcoder.model.versions import mlp_parts

    class Attention(torch.nn.Module):
        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__()

        def forward(self, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> Any:
            return _apply(_Attention, query, key, value, counts.count_attention).flatten(-2)

    def spec(config: Any, stage: int | None) -> Any:
        block = get_gpt_decoder_block_spec(
            config, use_transformer_engine=False, normalization="RMSNorm", vp_stage=stage
        )
        block.layer_norm = _EngineNorm
        for layer in block.layer_specs:
            parts = layer.submodules
            parts.input_layernorm = parts.pre_mlp_layernorm = _EngineNorm
            parts.self_attention.submodules.core_attention = Attention
            parts.self_attention.submodules.linear_qkv = _fusing(ColumnParallelLinear)
            parts.self_attention.submodules.linear_proj = _fusing(RowParallelLinear)
            mlp = mlp_parts(layer)
            mlp.linear_fc1, mlp.linear_fc2 = _fusing(ColumnParallelLinear), _fusing(RowParallelLinear)
        return block

    return spec


def _fusing(linear: Any) -> Any:
    """Has Transformer Engine's switch for weight gradients that are added in the product itself."""

    def switch(self: Any, on: bool) -> None:
        self.gradient_accumulation_fusion = on

    fused = property(lambda self: self.gradient_accumulation_fusion, switch)
    return type(linear.__name__, (linear,), {"fuse_wgrad_accumulation": fused})
