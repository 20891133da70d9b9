"""Llama as megatron-core's decoder: RMSNorm, SwiGLU, RoPE, no biases, grouped queries as an option."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.models.gpt.gpt_layer_specs import HAVE_TE, get_gpt_decoder_block_spec
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules

from snowcoder.config.schema import Config, ModelConfig, PrecisionConfig
from snowcoder.errors import UserError
from snowcoder.model import platform
from snowcoder.model.attention import FusedCoreAttention
from snowcoder.model.cpu_llama import CpuLlama, use_cpu_layers
from snowcoder.model.decoder import Decoder
from snowcoder.model.fp8 import SCALINGS, device_problem
from snowcoder.model.fused import RMSNorm

TRANSFORMER_ENGINE = HAVE_TE and not platform.ON_CPU


def padded_vocabulary(model: ModelConfig) -> int:
    """Rows of the embedding: the vocabulary rounded up, independent of the layout so that any can load it."""
    return -(-model.vocab_size // model.pad_vocab_to) * model.pad_vocab_to


def _check_engine(what: str) -> None:
    if platform.ON_CPU:
        raise UserError(f"{what} needs CUDA and Transformer Engine")
    if not TRANSFORMER_ENGINE:
        importlib.import_module("transformer_engine.pytorch")  # its error says what it lacks


def _check_device(fp8: str) -> None:
    if problem := device_problem(fp8, torch.cuda.get_device_capability(), torch.cuda.get_device_name()):
        raise UserError(problem)


def transformer_config(config: Config) -> TransformerConfig:
    model, parallel, precision = config.model, config.parallel, config.precision
    if precision.fp8 != "none":
        _check_engine(f"precision.fp8={precision.fp8}: fp8")
        _check_device(precision.fp8)
    if parallel.context > 1:
        _check_engine(f"parallel.context={parallel.context}: context parallelism")
    dtype = torch.bfloat16 if precision.dtype == "bf16" else torch.float32
    interleaved = parallel.virtual_stages > 1
    return TransformerConfig(
        num_layers=model.layers,
        hidden_size=model.hidden,
        ffn_hidden_size=model.ffn,
        num_attention_heads=model.heads,
        num_query_groups=model.kv_heads,
        normalization="RMSNorm",
        layernorm_epsilon=model.norm_eps,
        gated_linear_unit=True,
        activation_func=torch.nn.functional.silu,
        add_bias_linear=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        bf16=precision.dtype == "bf16",
        params_dtype=dtype,
        pipeline_dtype=dtype,
        **_fp8(precision),
        tensor_model_parallel_size=parallel.tensor,
        sequence_parallel=parallel.sequence,
        pipeline_model_parallel_size=parallel.pipeline,
        virtual_pipeline_model_parallel_size=parallel.virtual_stages if interleaved else None,
        context_parallel_size=parallel.context,
        # With batched point-to-point calls, interleaved stages silently train on corrupted activations.
        overlap_p2p_comm=interleaved,
        batch_p2p_comm=not interleaved,
        **_recompute(parallel.recompute),
        calculate_per_token_loss=True,  # the mean over the global batch, however it is split
        attention_softmax_in_fp32=True,
        masked_softmax_fusion=False,
        bias_activation_fusion=True,  # on CPUs, as apply_rope_fusion: by snowcoder/model/fused.py
        bias_dropout_fusion=not platform.ON_CPU,
        persist_layer_norm=TRANSFORMER_ENGINE,
        apply_rope_fusion=TRANSFORMER_ENGINE or platform.ON_CPU,
        # In one kernel that leaves the gradient where the bf16 logits were. megatron-core's own ("native") keeps an
        # fp32 copy of them, as the plain loss does: 2 GB at 8192 x 64,000.
        cross_entropy_loss_fusion=TRANSFORMER_ENGINE,
        cross_entropy_fusion_impl="te" if TRANSFORMER_ENGINE else "native",
        gradient_accumulation_fusion=False,  # it wants apex; see _fuse_gradient_accumulation
        # The values are overwritten by name (see initialize.py), but this also marks the tensor-parallel parameters:
        # without the marks, gradient norms count them on one rank only.
        perform_initialization=True,
    )


def _fp8(precision: PrecisionConfig) -> dict[str, Any]:
    if precision.fp8 == "none":
        return {}
    scaling = SCALINGS[precision.fp8]
    return {"fp8": scaling.format, "fp8_recipe": precision.fp8, **scaling.options}


def _recompute(choice: str) -> dict[str, Any]:
    if choice == "full":
        return {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}
    return {} if choice == "none" else {"recompute_granularity": "selective"}


class Norm:
    """torch's RMSNorm (on CPUs our own) under sequence parallelism, which megatron-core's wrapper of it refuses."""

    def __new__(cls, config: TransformerConfig, hidden_size: int, eps: float = 1e-5, **_: Any) -> Any:
        kind = RMSNorm if platform.ON_CPU else torch.nn.RMSNorm
        norm: Any = kind(hidden_size, eps=eps, dtype=config.params_dtype, device=platform.device())
        norm.weight.sequence_parallel = config.sequence_parallel  # its gradient is summed over tensor ranks
        return norm


def layer_spec(config: TransformerConfig, stage: int | None) -> TransformerBlockSubmodules:
    """Transformer Engine's spec on CUDA; elsewhere the local one with torch's attention and norm.

    Both have the same checkpoint keys.
    """
    if TRANSFORMER_ENGINE:
        return get_gpt_decoder_block_spec(config, use_transformer_engine=True, vp_stage=stage)
    spec = get_gpt_decoder_block_spec(config, use_transformer_engine=False, normalization="RMSNorm", vp_stage=stage)
    spec.layer_norm = Norm
    for layer in spec.layer_specs:
        layer.submodules.input_layernorm = layer.submodules.pre_mlp_layernorm = Norm
        layer.submodules.self_attention.submodules.core_attention = FusedCoreAttention
    if platform.ON_CPU:
        use_cpu_layers(spec)
    return spec


def build_chunks(config: Config, transformer: TransformerConfig) -> list[Decoder]:
    """This rank's model chunks (one, or one a virtual stage), uninitialized, on its device."""
    virtual = config.parallel.virtual_stages
    return [_build_chunk(config, transformer, stage if virtual > 1 else None) for stage in range(virtual)]


def _build_chunk(config: Config, transformer: TransformerConfig, stage: int | None) -> Decoder:
    kind = CpuLlama if platform.ON_CPU else Decoder
    chunk = kind(
        config=transformer,
        transformer_layer_spec=layer_spec(transformer, stage),
        vocab_size=padded_vocabulary(config.model),
        max_sequence_length=config.model.sequence_length,
        pre_process=parallel_state.is_pipeline_first_stage(ignore_virtual=False, vp_stage=stage),
        post_process=parallel_state.is_pipeline_last_stage(ignore_virtual=False, vp_stage=stage),
        share_embeddings_and_output_weights=config.model.tied_embeddings,
        position_embedding_type="rope",
        rotary_base=config.model.rope_theta,
        vp_stage=stage,
    )
    if TRANSFORMER_ENGINE:
        _fuse_gradient_accumulation(chunk)
    return chunk.to(platform.device())


def _fuse_gradient_accumulation(chunk: Any) -> None:
    """Let Transformer Engine's layers add weight gradients to the gradient buffer in the matrix product itself.

    megatron-core's option for it asks for an extension of apex, on account of the output layer alone.
    """
    for module in chunk.modules():
        if hasattr(module, "fuse_wgrad_accumulation"):
            module.fuse_wgrad_accumulation = True
