"""What a rank holds while it trains: the plan, the samples, the model, the optimizer, the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.module import Float16Module

from snowcoder.config.schema import Config
from snowcoder.lineage.run_folder import RunFolder
from snowcoder.mixture.phase_plan import PhasePlan, Plan, load_plan
from snowcoder.mixture.samples import SampleReader
from snowcoder.model.decoder import Decoder
from snowcoder.model.initialize import initial_tensor
from snowcoder.model.llama import build_chunks, transformer_config
from snowcoder.model.mapping import load_hugging_face
from snowcoder.tokenization.load import load_tokenizer
from snowcoder.training.identity import tokenizer_digest
from snowcoder.training.may_start import phases_to_run
from snowcoder.training.optimizer import build_optimizer, reset_state
from snowcoder.training.rank.process_groups import tensor_part
from snowcoder.training.recovery.skips import Skips


@dataclass
class Model:
    """This rank's part of the model, with gradient buffers and optimizer."""

    transformer: TransformerConfig
    chunks: list[DistributedDataParallel]
    optimizer: MegatronOptimizer

    def gather(self) -> None:
        """Wait for parameters that the last update left to be gathered during the next forward pass."""
        for chunk in self.chunks:
            if chunk.ddp_config.overlap_param_gather:
                chunk.start_param_sync(force_sync=True)

    @property
    def bare_chunks(self) -> list[Decoder]:
        """The decoders inside the wrappers."""
        return [unwrap(chunk) for chunk in self.chunks]


@dataclass
class Run:
    """The state of training. `step` counts finished updates; all else follows from it, the plan and the skips."""

    config: Config
    plan: Plan
    reader: SampleReader
    model: Model
    skips: Skips
    step: int = 0
    losses: list[float] = field(default_factory=list)  # the phase's latest, at most guard.window; the same on all ranks
    stop: str | None = None  # why to stop at this step boundary, if so
    imported: str | None = None  # digest of the weights it began from, if they were not drawn
    tokenizer: str | None = None  # digest

    @property
    def folder(self) -> Path:
        return RunFolder.of(self.config).train

    @property
    def phases(self) -> list[PhasePlan]:
        """The phases this run executes."""
        return phases_to_run(self.config, self.plan)

    @property
    def last_step(self) -> int:
        return self.phases[-1].last_step


def build_run(config: Config) -> Run:
    """Open plan and index, build the model with its initial weights. Loads no checkpoint."""
    plan = load_plan(Path(config.plan.dir))
    tokenizer = load_tokenizer(config.tokenizer.folder) if plan.fim else None
    reader = SampleReader(plan, Path(config.plan.dir), Path(config.index.dir), tokenizer)
    skips = Skips(RunFolder.of(config).skips, plan)
    return Run(config, plan, reader, build_model(config), skips, tokenizer=tokenizer_digest(config))


def build_model(config: Config, get: Callable[[str], torch.Tensor] | None = None) -> Model:
    """The model, filled from whole Hugging Face tensors by name; without `get`, with initial weights.

    `get` returns them as [out, in] or [hidden], in any dtype.
    """
    transformer = transformer_config(config)
    chunks = build_chunks(config, transformer)
    _fill(config, chunks, get)
    wrapped = _wrap(config, transformer, chunks)
    return Model(transformer, wrapped, build_optimizer(config, transformer, wrapped))


def start_anew(run: Run) -> None:
    """Put `run` back to its initial weights, before the first step."""
    _fill(run.config, run.model.bare_chunks)
    run.model.optimizer.reload_model_params()
    reset_state(run.model.optimizer)
    run.step, run.losses = 0, []


def _fill(config: Config, chunks: list[Decoder], get: Callable[[str], torch.Tensor] | None = None) -> None:
    for chunk in chunks:
        load_hugging_face(
            chunk,
            config.model,
            tensor_part(),
            get or (lambda name: initial_tensor(name, config.model, config.run.seed)),
        )


def _wrap(config: Config, transformer: TransformerConfig, chunks: list[Decoder]) -> list[DistributedDataParallel]:
    parallel = config.parallel
    buffers = DistributedDataParallelConfig(
        grad_reduce_in_fp32=config.precision.gradients_fp32,
        use_distributed_optimizer=parallel.distributed_optimizer,
        overlap_grad_reduce=parallel.overlap,
        overlap_param_gather=parallel.overlap,
        check_for_nan_in_grad=False,  # it ends the process; `optimizer.update` looks for itself
    )
    modules: list[Any] = chunks
    if config.precision.dtype == "bf16":
        modules = [Float16Module(transformer, chunk) for chunk in chunks]
    return [
        DistributedDataParallel(transformer, buffers, module, disable_bucketing=n > 0)
        for n, module in enumerate(modules)
    ]


def unwrap(module: Any) -> Decoder:
    while hasattr(module, "module"):
        module = module.module
    return module
