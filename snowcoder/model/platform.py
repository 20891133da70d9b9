"""Lets megatron-core run on CPUs over gloo. Does nothing where CUDA exists.

megatron-core has no CPU path of its own: it asks torch.cuda for its device, its random state and its tensors
unconditionally. Without CUDA, `install` redirects exactly those calls; it must run before any megatron module
is imported. Checked with megatron-core 0.16.1 and 0.19.2: losses of all layouts agree to 1e-6.
"""

from __future__ import annotations

import functools
import logging
import os
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from snowcoder.model.versions import quiet_advice

ON_CPU = not torch.cuda.is_available()
_FACTORIES = ("tensor", "zeros", "ones", "empty", "empty_like")  # called with device="cuda" literally


def device() -> torch.device:
    return torch.device("cpu") if ON_CPU else torch.device("cuda", torch.cuda.current_device())


def backend() -> str:
    return "gloo" if ON_CPU else "nccl"


def pin(memory: torch.Tensor) -> None:
    """Lock host memory that is mapped already, uint8 [bytes], so that a GPU copies to it at the link's full speed.

    As torch's own staging of checkpoints does it. Where it fails, copies are right all the same, and slower.
    """
    if not ON_CPU:
        portable = 1
        torch.cuda.cudart().cudaHostRegister(memory.data_ptr(), memory.nbytes, portable)


def slow_dtype(dtype: str) -> str:
    """What to know of `precision.dtype` on this machine; empty where it is as fast as it should be."""
    onednn = torch.backends.mkldnn.is_available()  # not in every build of torch
    if not ON_CPU or dtype != "bf16" or (onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return ""
    return "this processor does not compute in bf16, which takes many times as long as fp32: `precision=fp32`"


@functools.cache
def install() -> None:
    """Quiet megatron-core's advice on optional libraries and, without CUDA, make it run on the CPU."""
    warnings.filterwarnings("ignore", module=r"megatron\.|torch\.distributed\.|transformer_engine")
    warnings.filterwarnings("ignore", message=".*(Apex|Transformer Engine|barrier\\(\\)).*")
    logging.getLogger("megatron.core.rerun_state_machine").setLevel(logging.ERROR)  # announces that it is off
    quiet_advice()
    if ON_CPU:
        # The fusions are off here (model/llama.py); to set their compiler up takes 2 s of each rank's start.
        os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
        _redirect_device()
        _redirect_random_state()
        _redirect_factories()
        _use_param_group_adam()
        _add_embedding_gradients_in_fp32()
        _use_own_fusions()


def _redirect_device() -> None:
    cuda: Any = torch.cuda
    for name in ("current_device", "synchronize", "current_stream"):
        setattr(cuda, name, getattr(torch.cpu, name))
    tensor: Any = torch.Tensor
    tensor.cuda = lambda self, *args, **kwargs: self
    original = torch.Tensor.type

    def type_(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        # Optimizers compare the string with 'torch.cuda.FloatTensor'.
        result = original(self, *args, **kwargs)
        return result.replace("torch.", "torch.cuda.", 1) if isinstance(result, str) else result

    tensor.type = type_


def _redirect_random_state() -> None:
    # Without these nothing crashes: every tensor-parallel rank silently draws the same numbers.
    cuda: Any = torch.cuda
    cuda.get_rng_state = cuda.random.get_rng_state = lambda device="cuda": torch.get_rng_state()
    cuda.manual_seed = lambda seed: torch.default_generator.manual_seed(int(seed))
    import megatron.core.tensor_parallel.random as mrandom

    mrandom._set_cuda_rng_state = lambda state, device=-1, graph_safe=False: torch.set_rng_state(state)
    logging.getLogger(mrandom.__name__).addFilter(lambda record: "RNG state changed" not in record.getMessage())


def _redirect_factories() -> None:
    def redirect(factory: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(factory)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if str(kwargs.get("device")).startswith("cuda"):
                kwargs["device"] = "cpu"
            return factory(*args, **kwargs)

        return wrapper

    for name in _FACTORIES:
        setattr(torch, name, redirect(getattr(torch, name)))


def _use_param_group_adam() -> None:
    import megatron.core.optimizer as optimizer
    from megatron.core.optimizer import distrib_optimizer

    from snowcoder.model.cpu_adam import CpuAdam

    optimizer.Adam = distrib_optimizer.Adam = CpuAdam
    optimizer.USING_PYTORCH_OPTIMIZER = False
    distrib_optimizer.HAVE_APEX_OR_TE = distrib_optimizer.USING_TE_OPTIMIZER = True


def _add_embedding_gradients_in_fp32() -> None:
    import megatron.core.tensor_parallel.layers as layers

    layers.F = SimpleNamespace(embedding=embedding)  # all that it takes of torch.nn.functional


def embedding(ids: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """int64 ids [b, s] and rows [v, h] of float32 or bfloat16 -> [b, s, h], as F.embedding.

    Its own gradient on CPUs is added up in bfloat16, where 256 + 1 is 256; this one's in float32.
    """
    rows: torch.Tensor = weight.index_select(0, ids.flatten()).unflatten(0, ids.shape)
    return rows


def _use_own_fusions() -> None:
    """In the places that megatron-core has for kernels that were compiled, or are Transformer Engine's."""
    from megatron.core.models.common.embeddings import rope_utils
    from megatron.core.transformer import mlp

    from snowcoder.model.fused import rotate, rotate_packed, swiglu

    mlp.bias_swiglu_impl = swiglu
    rope_utils.fused_apply_rotary_pos_emb, rope_utils.fused_apply_rotary_pos_emb_thd = rotate, rotate_packed
