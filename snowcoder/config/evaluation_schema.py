"""The section of conf/ for evaluation, see `schema.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from snowcoder.config.section import Count, Natural, Section, Share


class GenerationConfig(Section):
    """The paper's are greedy, one a task (section 3.1)."""

    backend: Literal["transformers", "server"]
    """transformers: on this machine. server: an OpenAI-compatible one, as vLLM's is, which knows the models by the
    names in `evaluation.models`."""

    server: Annotated[str, Field(pattern="^https?://")] | None
    """Address of the server up to /v1, such as http://localhost:8000/v1."""

    batch: Count
    """Prompts at a time; with a server, requests in flight."""

    samples: Count
    """Completions of each task. More than one needs a temperature."""

    temperature: Annotated[float, Field(ge=0.0)]
    """Sampling temperature; 0: greedy."""

    top_p: Share
    """Nucleus sampling: the share of the probability from which is drawn, where the temperature is not 0."""

    new_tokens: Count | None
    """Tokens of a completion, at most; null: as the suite has it."""

    dtype: Literal["fp32", "bf16"]
    """fp32: the same completions at any batch size. bf16 is faster on a GPU, and near ties it depends on the batch."""


class BitsConfig(Section):
    """Of held-out documents and of solutions; a signal that small models give, too."""

    source: str | None
    """The source of `index.sources` whose held-out documents are read; null: no bits per byte."""

    kib: Count
    """Text of each language in KiB, at most."""

    solutions: list[str]
    """Suites whose canonical solutions are read, given their prompts: bits per byte that no program need be run for."""


class EvaluationConfig(Section):
    """Side by side, by pass@k and bits per byte."""

    dir: str
    """Folder of completions, verdicts and the table."""

    models: dict[str, str]
    """Name in the table -> exported folder, in this order; empty: `export.dir` alone."""

    baseline: str | None
    """Name of the model that all others are compared with; null: each is compared with the one before it."""

    suites: list[str]
    """Benchmarks: humaneval, humaneval_plus, mbpp, mbpp_plus, bigcodebench, infilling (for models trained with
    fim=starcoder), and evoeval_ with difficult, creative, subtle, combine, tool_use, verbose or concise."""

    first: Natural
    """Only so many tasks of each suite, from its first on; 0: all."""

    data: str
    """Folder of the benchmarks' files. HumanEval comes with snowcoder; what else is not there is downloaded into it."""

    generation: GenerationConfig
    """How completions are made."""

    pass_at: list[Count]
    """The k of each pass@k that is reported; at most `generation.samples`."""

    workers: Natural
    """Programs that run side by side in the sandbox; 0: one per core this process may use."""

    pythons: dict[str, str]
    """Suite -> Python that has the packages its programs need, for bigcodebench; others run on this one."""

    bits: BitsConfig
    """Bits per byte beside the benchmarks."""

    every_steps: Natural
    """During a training: its checkpoints at multiples of so many steps are evaluated in a job of their own; 0: none."""

    sbatch: list[str]
    """Options of sbatch for such a job, over those of slurm/evaluate.sh."""
