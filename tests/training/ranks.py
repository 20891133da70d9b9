"""What ranks do for tests of the model: each function is a task of `launch`."""

import gc
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from snowcoder.config.schema import Config
from snowcoder.mixture.phase_plan import PhasePlan
from snowcoder.mixture.samples import Samples
from snowcoder.model.initialize import initial_tensor
from snowcoder.model.llama import build_chunks, transformer_config
from snowcoder.model.mapping import load_hugging_face
from snowcoder.training.batches import micro_batches
from snowcoder.training.callbacks import garbage
from snowcoder.training.callbacks.base import Callback
from snowcoder.training.loop import run_phases
from snowcoder.training.optimizer import squared_norm
from snowcoder.training.rank.process_groups import tensor_part
from snowcoder.training.state import Run, build_model, build_run
from snowcoder.training.step import StepResult


@torch.no_grad()
def logits_of_packed_documents(config: Config, output: str) -> None:
    """Logits of two rows of packed documents, and of the same with the first document of row 0 changed."""
    (chunk,) = build_chunks(config, transformer_config(config))
    load_hugging_face(chunk, config.model, tensor_part(), lambda name: initial_tensor(name, config.model, 1))
    tokens = np.random.default_rng(0).integers(0, 500, (2, 65))
    changed = tokens.copy()
    changed[0, :20] = (changed[0, :20] + 1) % 500
    starts = [np.array([0, 20, 41]), np.array([0, 33])]
    results = {}
    for name, rows in {"before": tokens, "after": changed}.items():
        samples = Samples(rows, starts, np.ones((2, 64), bool))
        (batch,) = micro_batches(samples, size=2, document_mask=config.packing.document_mask)
        logits = chunk(batch.tokens, batch.positions, None, packed_seq_params=batch.packed)
        results[name] = logits.reshape(2, 64, -1)
    alone = torch.from_numpy(tokens[:1, 20:41])
    results["alone"] = chunk(alone, torch.arange(21)[None], None)
    torch.save(results, Path(output))


def numerics_in_bf16(config: Config, output: str) -> None:
    """The gradient of an embedding's row that is met 4,096 times, and the angles of the last of 8,192 positions."""
    (chunk,) = build_model(config).bare_chunks
    ids = torch.full((2, 2048), 7)
    chunk.embedding(ids, torch.arange(2048).expand(2, -1)).sum().backward()
    weight = chunk.embedding.word_embeddings.weight
    gradient = weight.main_grad if weight.grad is None else weight.grad  # megatron-core's hook moves it
    angles, frequencies = chunk.rotary_pos_emb(8192)[-1].flatten(), chunk.rotary_pos_emb.inv_freq
    torch.save({"gradient": gradient.float(), "angles": angles, "frequencies": frequencies}, Path(output))


def gradients_of_the_loss(config: Config, output: str) -> None:
    """Of all weights, by the model's own loss and by torch's of its logits."""
    (chunk,) = build_chunks(config, transformer_config(config))
    load_hugging_face(chunk, config.model, tensor_part(), lambda name: initial_tensor(name, config.model, 1))
    rows = torch.from_numpy(np.random.default_rng(0).integers(0, 500, (2, 65)))
    tokens, labels, positions = rows[:, :-1], rows[:, 1:], torch.arange(64).expand(2, -1)
    chunk(tokens, positions, None, labels=labels).sum().backward()
    ours = {name: weight.grad.clone() for name, weight in chunk.named_parameters()}
    chunk.zero_grad()
    logits = chunk(tokens, positions, None)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").backward()
    theirs = {name: weight.grad for name, weight in chunk.named_parameters()}
    torch.save({"ours": ours, "theirs": theirs}, Path(output))


def norm_of_many_numbers(config: Config, output: str) -> None:
    """Of a gradient of four million numbers of 0.1, put into a true optimizer."""
    model = build_model(config, lambda name: initial_tensor(name, config.model, 1))
    many = torch.nn.Parameter(torch.zeros(1 << 22))
    many.grad = torch.full((1 << 22,), 0.1)
    for part in getattr(model.optimizer, "chained_optimizers", [model.optimizer]):
        part.prepare_grads = lambda: False
        part.get_parameters = lambda: [many]
    torch.save({"squared": squared_norm(model.optimizer)}, Path(output))


class _Litter(Callback):
    """Leaves garbage for which Python would collect by itself, on each rank at another moment."""

    def on_step(self, run: Run, phase: PhasePlan, result: StepResult) -> None:
        for _ in range(20_000 + 5_000 * dist.get_rank()):
            own: list[Any] = []
            own.append(own)


def steps_of_collections(config: Config, output: str) -> None:
    """Train to the end; writes a file a rank: after which steps garbage was collected, and what is on afterwards."""
    garbage._EVERY_STEPS = 3
    run = build_run(config)
    seen: list[int] = []
    gc.callbacks.append(lambda moment, about: seen.append(run.step) if moment == "start" else None)
    run_phases(run, [garbage.GarbageCollection(), _Litter()])
    found = {"steps": seen, "enabled": gc.isenabled(), "frozen": gc.get_freeze_count()}
    Path(f"{output}{dist.get_rank()}.json").write_text(json.dumps(found))
