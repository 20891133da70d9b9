"""The typed schema of conf/: every key that a snowcoder config can hold, with its type and range.

`compose.py` builds a `Config` from Hydra's YAML, `check.py` adds the rules that span several keys.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from snowcoder.config.ablation_schema import AblationConfig
from snowcoder.config.annotation_schema import AnnotatorConfig, StudyConfig
from snowcoder.config.corpus_schema import (
    CorpusConfig,
    DecontaminationConfig,
    FiltersConfig,
    GroupingConfig,
    LicencePolicyConfig,
    PiiConfig,
    RepositoriesConfig,
)
from snowcoder.config.evaluation_schema import EvaluationConfig
from snowcoder.config.finetune_schema import FinetuneConfig
from snowcoder.config.section import Count, Natural, Positive, Section, Share
from snowcoder.config.synthesis_schema import SynthesisConfig


class RunConfig(Section):
    dir: str  # everything the run makes lies under this folder
    seed: Natural
    phases: list[str]  # the phases that `train` executes, in order; empty: all phases of the recipe


class StorageConfig(Section):
    root: str  # s3://bucket/prefix or a folder: where shards lie
    # null: what the standard AWS chain says
    endpoint: Annotated[str, Field(pattern="^https?://")] | None
    region: str | None
    connections: Count  # parallel range reads
    part_mib: Count  # size of one range read
    attempts: Count  # tries of one request before giving up


class ColumnsConfig(Section):
    """Names of the columns (or JSON keys) of a shard; dots lead into structs."""

    content: str
    repository: str
    path: str
    language: str
    licence: str
    # Of a row that holds several files of a repository: their paths, and how many characters of the content each has.
    file_paths: str
    file_lengths: str


class TokenizerConfig(Section):
    dir: str  # the Hugging Face folder that `tokenizer train` writes and all other stages read
    algorithm: Literal["byte_bpe", "sentencepiece"]
    vocab_size: Annotated[int, Field(ge=320)]
    spare_tokens: Natural  # special tokens kept free for later use
    shards: str  # what it is trained on
    sample_mib: Count  # at most this much text is read for training
    compare_with: str | None  # folder of a public tokenizer to compare with in the report


class SourceConfig(Section):
    shards: str  # folder or S3 prefix of the source's shards
    planned_tokens: Positive | None = None  # for `plan`, as long as the source is not indexed
    selection_of: str | None = None  # a source with these shards: `annotate select` makes the index, of its best files

    @property
    def indexed_by(self) -> str:
        return "`snowcoder annotate select`" if self.selection_of else "`snowcoder index build`"


class IndexConfig(Section):
    dir: str
    sources: dict[str, SourceConfig]
    columns: ColumnsConfig
    held_out: Share  # share of each source's documents kept out of training, for validation
    max_document_mib: Positive  # longer documents are dropped and counted
    on_corrupt_shard: Literal["error", "skip"]
    workers: Natural  # 0: one per core this process may use
    part: Annotated[str, Field(pattern=r"^[1-9]\d*/[1-9]\d*$")]  # "3/16": only every 16th shard, from the third on


class ModelConfig(Section):
    layers: Count
    hidden: Count
    ffn: Count
    heads: Count
    kv_heads: Count
    vocab_size: Count
    pad_vocab_to: Count  # embedding rows are padded to a multiple of this, whatever the layout
    sequence_length: Count
    tied_embeddings: bool
    rope_theta: Positive
    norm_eps: Positive
    init_std: Positive


class PackingConfig(Section):
    document_mask: bool  # attention stays inside a document, positions restart with it


class FimConfig(Section):
    rate: Share  # of the files that are rearranged; 0: off
    spm: Share  # of those, as suffix, prefix, middle; the others as prefix, suffix, middle
    slack: Natural  # tokens kept free in each file for what cutting inside of words adds
    longest: Count  # tokens; longer files stay as they are

    @property
    def reserved(self) -> int:
        """Tokens by which each file is longer in a stream than in the index: three sentinels and the slack."""
        return 3 + self.slack if self.rate else 0


class PhaseSource(Section):
    share: Share  # of the phase's tokens
    max_epochs: Positive  # over the whole run; the plan refuses to repeat a source more often


class LearningRateConfig(Section):
    peak: Positive
    warmup_steps: Natural  # linear from 0 to the peak
    shape: Literal["cosine", "linear", "constant"]
    final_ratio: Share  # of the peak, reached at the last step of the phase


class PhaseConfig(Section):
    tokens: Positive
    sequence_length: Count
    global_batch: Count  # sequences a step
    sources: dict[str, PhaseSource]
    learning_rate: LearningRateConfig
    optimizer_state: Literal["carry", "reset"]  # what becomes of Adam's moments as the phase begins


class PlanConfig(Section):
    dir: str
    # For GPU-hours and dates, until steps of the run are measured; null: not known until then.
    tokens_per_second_per_gpu: Positive | None
    start: str | None  # ISO date and time of the forecast; null: now


class ParallelConfig(Section):
    tensor: Count
    sequence: bool
    pipeline: Count
    virtual_stages: Count  # model chunks per pipeline rank; 1: not interleaved
    context: Count
    data: Count
    micro_batch: Count
    distributed_optimizer: bool
    overlap: bool  # gradients reduced and parameters gathered while computing
    recompute: Literal["none", "selective", "full"]

    @property
    def world_size(self) -> int:
        return self.tensor * self.pipeline * self.context * self.data


class PrecisionConfig(Section):
    dtype: Literal["fp32", "bf16"]
    fp8: Literal["none", "delayed", "tensorwise"]
    gradients_fp32: bool  # accumulate and reduce gradients in fp32
    peak_tflops: Positive | None = None  # of a device, dense, for the FLOP utilisation; null: not known


class OptimizerConfig(Section):
    lr: Positive
    beta1: Annotated[float, Field(ge=0.0, lt=1.0)]
    beta2: Annotated[float, Field(ge=0.0, lt=1.0)]
    eps: Positive
    weight_decay: Annotated[float, Field(ge=0.0)]
    clip: Positive


class CheckpointConfig(Section):
    every_steps: Count
    keep: Count  # newest ones that stay; the ends of phases stay besides
    asynchronous: bool
    upload: Annotated[str, Field(pattern="^s3://")] | None  # each complete checkpoint is copied there


class LaunchConfig(Section):
    kind: Literal["local", "slurm"]
    srun: list[
        Annotated[str, Field(pattern="^--?[a-zA-Z]")]
    ]  # options of srun for the ranks, each with its value: "--mpi=none"
    python: list[str]  # words that start the Python of the ranks, a container's before it; empty: this command's
    threads: Natural  # CPU threads a rank; 0: cores divided by ranks
    timeout_minutes: Positive  # of a collective, before a rank gives up
    silent_seconds: Positive  # without a word from a rank, before it counts as lost
    retries: Natural  # restarts by Slurm without a new checkpoint in between, before a run gives up
    node_check: bool  # matrix product, collective and disk of each rank, before training
    outlier: Annotated[float, Field(gt=1.0)]  # times the median: a rank this slow fails the node check


class LoggingConfig(Section):
    every_steps: Count
    tensorboard: bool
    validate_every: Natural  # steps between evaluations on held-out data; 0: never
    validate_samples: Count
    profile_steps: tuple[Natural, Natural] | None  # first and last step that torch.profiler records
    wandb: str | None  # name of a Weights & Biases project
    mlflow: str | None  # name of an MLflow experiment; its server by MLFLOW_TRACKING_URI
    prometheus: str | None = None  # folder of node_exporter's textfile collector


class GuardConfig(Section):
    """When a run goes back. A step with a non-finite loss or gradient is always skipped."""

    window: Annotated[int, Field(ge=8)]  # recent losses of the phase that a loss is compared with
    sigma: Positive  # a spike: this many of their standard deviations above their mean
    skip_steps: Count  # what is passed over after going back: the spike's step and those before it
    max_skips: Count  # steps skipped within a window, before the run goes back


class NotifyConfig(Section):
    command: str | None  # run by the shell with SNOWCODER_EVENT, _TEXT, _STEP and _RUN in its environment
    events: list[str]  # kinds of events.log that are worth a message


class ExportConfig(Section):
    dir: str
    step: Natural | None  # null: the newest valid checkpoint
    licence: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")] | None  # null: the card says that none is given


class Config(Section):
    run: RunConfig
    storage: StorageConfig
    corpus: CorpusConfig
    repositories: RepositoriesConfig
    licence_policy: LicencePolicyConfig
    filters: FiltersConfig
    pii: PiiConfig
    decontamination: DecontaminationConfig
    grouping: GroupingConfig
    tokenizer: TokenizerConfig
    index: IndexConfig
    model: ModelConfig
    packing: PackingConfig
    fim: FimConfig
    annotator: AnnotatorConfig
    study: StudyConfig
    synthesis: SynthesisConfig
    phases: dict[str, PhaseConfig]
    plan: PlanConfig
    parallel: ParallelConfig
    precision: PrecisionConfig
    optimizer: OptimizerConfig
    checkpoint: CheckpointConfig
    launch: LaunchConfig
    logging: LoggingConfig
    guard: GuardConfig
    notify: NotifyConfig
    export: ExportConfig
    evaluation: EvaluationConfig
    finetune: FinetuneConfig
    ablation: AblationConfig | None = None
