"""The peer of training_gpu.py: megatron-core's GPTModel, optimizer and schedule in the plainest loop around them.

`python -m benchmarks.megatron_loop '{"micro_batch": 1, ...}'`: one process, random tokens that lie on the device. Set
as Megatron-Bridge's recipe for Llama 3.2 1B on an H100 is. Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from snowcoder.model import platform

platform.install()

import torch  # noqa: E402 - megatron-core is imported after it was told where it runs
import torch.distributed as dist  # noqa: E402
from megatron.core import parallel_state, tensor_parallel  # noqa: E402
from megatron.core.distributed import (  # noqa: E402
    DistributedDataParallel,
    DistributedDataParallelConfig,
    finalize_model_grads,
)
from megatron.core.models.gpt import GPTModel, gpt_layer_specs  # noqa: E402
from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer  # noqa: E402
from megatron.core.pipeline_parallel import get_forward_backward_func  # noqa: E402
from megatron.core.transformer import TransformerConfig  # noqa: E402
from megatron.core.transformer.module import Float16Module  # noqa: E402

GPU = not platform.ON_CPU
TYPE = torch.bfloat16 if GPU else torch.float32


class Shape(NamedTuple):
    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    vocab_size: int
    sequence_length: int
    global_batch: int
    micro_batch: int
    steps: int
    fp8: str  # none, or a recipe


def main() -> None:
    shape = Shape(**json.loads(sys.argv[1]))
    _join()
    config = _transformer(shape)
    model = _wrap(config, _model(config, shape))
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            lr=3e-4, adam_beta2=0.95, weight_decay=0.1, bf16=GPU, params_dtype=TYPE, use_distributed_optimizer=True
        ),
        [model],
        use_gloo_process_groups=False,
    )
    config.grad_scale_func, config.finalize_model_grads_func = optimizer.scale_loss, finalize_model_grads
    batches = _batches(shape)
    seconds, losses = [], []
    for _ in range(shape.steps):
        begun = time.perf_counter()
        losses.append(_step(model, optimizer, batches, shape))
        seconds.append(time.perf_counter() - begun)
        if len(seconds) == 1:
            start = time.process_time()
    peak = torch.cuda.max_memory_allocated() if GPU else 0
    print(json.dumps({"seconds": seconds, "loss": losses[-1], "peak_bytes": peak, "start_cpu": start}), flush=True)


def _join() -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": os.environ.get("MASTER_PORT", "29531")}
    dist.init_process_group(platform.backend(), rank=0, world_size=1)
    parallel_state.initialize_model_parallel(create_gloo_process_groups=False)
    tensor_parallel.model_parallel_cuda_manual_seed(1)


def _transformer(shape: Shape) -> TransformerConfig:
    fp8 = {"fp8": "hybrid", "fp8_recipe": shape.fp8} if shape.fp8 != "none" else {}
    return TransformerConfig(
        num_layers=shape.layers,
        hidden_size=shape.hidden,
        ffn_hidden_size=shape.ffn,
        num_attention_heads=shape.heads,
        num_query_groups=shape.kv_heads,
        normalization="RMSNorm",
        gated_linear_unit=True,
        activation_func=torch.nn.functional.silu,
        add_bias_linear=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        bf16=GPU,
        params_dtype=TYPE,
        pipeline_dtype=TYPE,
        masked_softmax_fusion=GPU,
        bias_activation_fusion=GPU,
        bias_dropout_fusion=GPU,
        apply_rope_fusion=GPU,
        cross_entropy_loss_fusion=GPU,
        cross_entropy_fusion_impl="te" if GPU else "native",
        gradient_accumulation_fusion=tensor_parallel.layers._grad_accum_fusion_available,
        **fp8,
    )


def _model(config: TransformerConfig, shape: Shape) -> GPTModel:
    spec = gpt_layer_specs.get_gpt_layer_local_spec(normalization="RMSNorm")
    if GPU:
        spec = gpt_layer_specs.get_gpt_layer_with_transformer_engine_spec()
    return GPTModel(
        config,
        spec,
        vocab_size=shape.vocab_size,
        max_sequence_length=shape.sequence_length,
        position_embedding_type="rope",
        share_embeddings_and_output_weights=True,
    ).to(platform.device())


def _wrap(config: TransformerConfig, model: GPTModel) -> Any:
    buffers = DistributedDataParallelConfig(
        grad_reduce_in_fp32=True, use_distributed_optimizer=True, overlap_grad_reduce=True, average_in_collective=True
    )
    return DistributedDataParallel(config, buffers, Float16Module(config, model) if GPU else model)


def _batches(shape: Shape) -> Iterator[dict[str, Any]]:
    """Eight micro batches, again and again."""
    draw = torch.Generator().manual_seed(0)
    length, device = shape.sequence_length, platform.device()
    rows = torch.randint(shape.vocab_size, (8, shape.micro_batch, length + 1), generator=draw).to(device)
    positions = torch.arange(length, device=device).expand(shape.micro_batch, -1)
    mask = None if GPU else torch.ones(1, 1, length, length, dtype=torch.bool).triu(1)
    while True:
        for row in rows:
            yield {
                "input_ids": row[:, :-1].contiguous(),
                "labels": row[:, 1:].contiguous(),
                "position_ids": positions,
                "attention_mask": mask,
            }


def _step(model: Any, optimizer: Any, batches: Iterator[dict[str, Any]], shape: Shape) -> float:
    model.zero_grad_buffer()
    optimizer.zero_grad()
    reports = get_forward_backward_func()(
        forward_step_func=_forward,
        data_iterator=batches,
        model=model,
        num_microbatches=shape.global_batch // shape.micro_batch,
        seq_length=shape.sequence_length,
        micro_batch_size=shape.micro_batch,
        forward_only=False,
    )
    optimizer.step()
    return float(torch.stack(reports).mean())  # waits for the device, as every loop does that prints its loss


def _forward(batches: Iterator[dict[str, Any]], model: Any) -> tuple[torch.Tensor, Any]:
    return model(**next(batches)), partial(_loss)


def _loss(losses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    loss = losses.float().mean()
    return loss, loss.detach()


if __name__ == "__main__":
    main()
