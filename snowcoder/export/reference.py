"""What the trained model itself answers: logits of fixed prompts and of a text, in fp32.

Run by every rank of the layout it was trained in. The parity gate holds the export to them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from megatron.core.pipeline_parallel import get_forward_backward_func
from safetensors.torch import save_file

from snowcoder.config.schema import Config, ModelConfig
from snowcoder.model import platform
from snowcoder.model.decoder import Decoder
from snowcoder.model.llama import build_chunks, transformer_config
from snowcoder.training.checkpoints.write import load_weights
from snowcoder.training.rank.pulse import doing


def run(config: Config, checkpoint: str, folder: str, *texts: str) -> None:
    """Write `ids` [n] and `logits` [n, vocabulary] of each prompt to a file of `folder`.

    `texts`: files with the ids of further prompts, as JSON; the answer to each goes to a file of its name.
    """
    doing("building the model")
    chunks = build_chunks(config, transformer_config(config))
    doing("loading the checkpoint")
    load_weights(chunks, Path(checkpoint))
    asked = {f"{len(ids):08d}": ids for ids in prompts(config.model)}
    asked |= {Path(text).stem: torch.tensor(json.loads(Path(text).read_text())) for text in texts}
    for number, (name, ids) in enumerate(asked.items(), 1):
        doing(f"logits of prompt {number} of {len(asked)}")
        logits = _logits(config, chunks, ids)
        if dist.get_rank() == dist.get_world_size() - 1:  # always in the last pipeline stage
            assert logits is not None
            save_file({"ids": ids, "logits": logits}, Path(folder) / f"{name}.safetensors")


def prompts(model: ModelConfig) -> list[torch.Tensor]:
    """Random ids of the whole vocabulary, from one token to a full sequence: int64 [n] each."""
    longest = model.sequence_length
    lengths = sorted(length for length in {1, 2, 7, 64, longest // 2, longest} if 1 <= length <= longest)
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(model.vocab_size, (length,), generator=generator) for length in lengths]


@torch.no_grad()
def _logits(config: Config, chunks: list[Decoder], ids: torch.Tensor) -> torch.Tensor | None:
    """Logits [n, vocabulary] on the CPU; None on ranks that hold no last stage."""
    parallel = config.parallel
    # Sequence parallelism splits a prompt evenly; what is appended cannot change what comes before.
    missing = -len(ids) % parallel.tensor if parallel.sequence else 0
    padded = torch.nn.functional.pad(ids, (0, missing)).unsqueeze(0).to(platform.device())
    # Interleaved stages take micro batches by the pipeline's size: all are the same prompt.
    count = parallel.pipeline if parallel.virtual_stages > 1 else 1
    batches = [iter([padded] * count) for _ in chunks]
    outputs = get_forward_backward_func()(
        forward_step_func=_forward,
        data_iterator=batches if len(chunks) > 1 else batches[0],
        model=chunks if len(chunks) > 1 else chunks[0],
        num_microbatches=count,
        seq_length=padded.shape[1],
        micro_batch_size=1,
        forward_only=True,
        collect_non_loss_data=True,
    )
    if not outputs:
        return None
    # The rows that pad the vocabulary mean nothing.
    found: torch.Tensor | None = outputs[0][0, : len(ids), : config.model.vocab_size].cpu().contiguous()
    return found


def _forward(batches: Any, model: Decoder) -> tuple[torch.Tensor, Any]:
    tokens = next(batches)
    positions = torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(0)
    return model(tokens, positions, None, runtime_gather_output=True), _keep


def _keep(logits: torch.Tensor, non_loss_data: bool) -> torch.Tensor:
    return logits
