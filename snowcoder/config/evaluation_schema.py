"""The section of conf/ for evaluation, see `schema.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from snowcoder.config.section import Count, Natural, Section, Share


class GenerationConfig(Section):
    # server: an OpenAI-compatible one, as vLLM's is; evaluation.models then has the names it knows them by
    backend: Literal["transformers", "server"]
    server: Annotated[str, Field(pattern="^https?://")] | None
    batch: Count  # prompts at a time; requests in flight, to a server
    samples: Count  # completions of each task
    temperature: Annotated[float, Field(ge=0.0)]  # 0: greedy
    top_p: Share
    new_tokens: Count | None  # of a completion at most; null: as the suite has it
    dtype: Literal["fp32", "bf16"]


class BitsConfig(Section):
    """Bits per byte of held-out documents, a signal that small models give too."""

    source: str | None  # of index.sources; null: none
    kib: Count  # of each language, at most


class EvaluationConfig(Section):
    dir: str
    models: dict[str, str]  # name in the table -> exported folder, in this order; empty: export.dir
    suites: list[str]
    first: Natural  # only so many tasks of each suite, from its first on; 0: all
    data: str  # folder of the benchmarks' files; what is not there is downloaded into it
    generation: GenerationConfig
    pass_at: list[Count]
    workers: Natural  # programs that run side by side; 0: one per core this process may use
    pythons: dict[str, str]  # suite -> Python that has the packages its programs need; others run on this one
    bits: BitsConfig
    every_steps: Natural  # of a training: evaluate the checkpoints at these steps in a job of their own; 0: none
    sbatch: list[str]  # options of sbatch for such a job, over those of slurm/evaluate.sh
