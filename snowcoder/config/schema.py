"""The typed schema of conf/: every key that a snowcoder config can hold, with its type, range and meaning.

`compose.py` builds a `Config` from Hydra's YAML, `check.py` adds the rules that span several keys.
"""

from __future__ import annotations

from pathlib import Path
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
from snowcoder.config.guidance_schema import GuidanceConfig
from snowcoder.config.repair_schema import RepairConfig
from snowcoder.config.section import Count, Natural, Positive, Section, Share
from snowcoder.config.synthesis_schema import SynthesisConfig
from snowcoder.shipped import own_or_shipped


class RunConfig(Section):
    dir: str
    """Folder of the run: all that its stages make lies there, unless their own keys say otherwise."""

    seed: Natural
    """Decides initial weights, the order of documents and samples, and every other draw."""

    phases: list[str]
    """Phases that `train` executes, in order, neighbours; empty: all of the recipe. `phase=` sets it. The plan always
    spans all phases, for a later one's data begin where an earlier one left its sources."""


class StorageConfig(Section):
    """Credentials come from the standard AWS chain (environment, profile, instance role), never from here."""

    root: str
    """s3://bucket/prefix or a folder, below which shards lie."""

    endpoint: Annotated[str, Field(pattern="^https?://")] | None
    """Address of an S3 server of your own; null: what the standard AWS chain says."""

    region: str | None
    """AWS region; null: what the standard AWS chain says."""

    connections: Count
    """Range reads at a time."""

    part_mib: Count
    """Size of one range read in MiB."""

    attempts: Count
    """Tries of one request before giving up."""


class ColumnsConfig(Section):
    """Names of the columns (or JSON keys) of a shard; dots lead into structs and lists of them, such as licenses.key.

    Which ones a stage needs: docs/how-it-works.md.
    """

    content: str
    """The text of a file, or of several."""

    repository: str
    """The repository's name."""

    path: str
    """The file's path in its repository."""

    language: str
    """The language, as GitHub's Linguist names it; where it is missing, the path tells it."""

    licence: str
    """The licences found, as SPDX identifiers."""

    file_paths: str
    """Of a row that holds several files of a repository: their paths."""

    file_lengths: str
    """Of such a row: how many characters of the content each file has."""


class TokenizerConfig(Section):
    """The paper gives only its size; the rest is a reading of ours."""

    dir: str
    """Hugging Face folder that `tokenizer train` writes and all other stages read. What ships with snowcoder is found
    by its name wherever snowcoder is installed: tokenizer/snowcoder-64k."""

    algorithm: Literal["byte_bpe", "sentencepiece"]
    """byte_bpe: byte-level BPE with single digits. sentencepiece: BPE with byte fallback, as Llama 2 had."""

    vocab_size: Annotated[int, Field(ge=320)]
    """Tokens in all, special ones included; equal to `model.vocab_size`. 64,000 in the paper."""

    spare_tokens: Natural
    """Special tokens kept free for later use."""

    shards: str
    """Folder or S3 prefix of the shards it is trained on."""

    sample_mib: Count
    """Text that is read for training in MiB, at most. SentencePiece keeps it in memory several times over."""

    compare_with: str | None
    """Folder with the tokenizer.json of a public tokenizer, to compare with in the report."""

    @property
    def folder(self) -> Path:
        """Where it is read. `dir` stays as it is written: ranks may run where snowcoder lies elsewhere."""
        return own_or_shipped(self.dir)


class SourceConfig(Section):
    """One data set of the mixture."""

    shards: str
    """Folder or S3 prefix of the source's shards."""

    planned_tokens: Positive | None = None
    """Size in tokens that `plan` assumes, as long as the source is not indexed."""

    selection_of: str | None = None
    """A source with these shards: `annotate select` makes the index, of its best files."""

    @property
    def indexed_by(self) -> str:
        return "`snowcoder annotate select`" if self.selection_of else "`snowcoder index build`"


class IndexConfig(Section):
    """The format is Megatron's."""

    dir: str
    """Folder with one folder for each source."""

    sources: dict[str, SourceConfig]
    """The data sets that phases may draw from: name -> where it lies."""

    columns: ColumnsConfig
    """How all stages find their way in shards."""

    held_out: Share
    """Share of each source's documents kept out of training, for validation."""

    max_document_mib: Positive
    """Size of a document in MiB, at most: longer ones are dropped and counted."""

    on_corrupt_shard: Literal["error", "skip"]
    """What is done about a shard that is cut or damaged. skip passes over it, and over nothing else."""

    workers: Natural
    """Processes; 0: one per core this process may use."""

    part: Annotated[str, Field(pattern=r"^[1-9]\d*/[1-9]\d*$")]
    """For an array of jobs: 3/16 is only every 16th shard, from the third on."""


class ModelConfig(Section):
    """A Llama: RMSNorm, rotary positions, SwiGLU, no biases. The paper's has 1.3B parameters (table 1)."""

    layers: Count
    """Transformer layers."""

    hidden: Count
    """Width of the residual stream."""

    ffn: Count
    """Width inside the feed-forward part."""

    heads: Count
    """Attention heads; each is `hidden` / `heads` wide."""

    kv_heads: Count
    """Heads of keys and values; fewer than `heads`: grouped queries."""

    vocab_size: Count
    """Tokens; equal to `tokenizer.vocab_size`."""

    pad_vocab_to: Count
    """Embedding rows are padded to a multiple of this, whatever the layout."""

    sequence_length: Count
    """Tokens of a sequence, at most: phases may have shorter ones."""

    tied_embeddings: bool
    """Input and output share one embedding matrix."""

    rope_theta: Positive
    """Base of the rotary positions. Not stated by the paper: Llama 2's."""

    norm_eps: Positive
    """Epsilon of RMSNorm. Not stated by the paper: Llama 2's."""

    init_std: Positive
    """Standard deviation of the initial weights; projections into the residual stream have it divided by
    sqrt(2 x layers), as in GPT-2 and Megatron. Not stated by the paper."""


class PackingConfig(Section):
    """Documents are laid end to end, and cut where a sequence is full."""

    document_mask: bool
    """Attention stays inside a document, positions restart with it. The paper does not say; false is the choice of
    Megatron and Llama 2."""


class FimConfig(Section):
    """Files are cut in three and rearranged as they are read. The paper does not mention it."""

    rate: Share
    """Share of the files that are rearranged; 0: off. StarCoder has 0.5."""

    spm: Share
    """Share of those as suffix, prefix, middle; the others as prefix, suffix, middle. StarCoder has 0.5."""

    slack: Natural
    """Tokens kept free in each file for what cutting inside of words adds."""

    longest: Count
    """Files of more tokens stay as they are: any window of a file costs the encoding of all of it."""

    @property
    def reserved(self) -> int:
        """Tokens by which each file is longer in a stream than in the index: three sentinels and the slack."""
        return 3 + self.slack if self.rate else 0


class PhaseSource(Section):
    """A source's part in a phase."""

    share: Share
    """Share of the phase's tokens; the shares of a phase add up to 1."""

    max_epochs: Positive
    """Times the source may be read over the whole run: the plan refuses to repeat it more often."""


class LearningRateConfig(Section):
    """Linear warm-up from 0, then a shape down to the phase's last step. Each phase begins anew."""

    peak: Positive
    """The highest rate."""

    warmup_steps: Natural
    """Steps from 0 to the peak; fewer than the phase has."""

    shape: Literal["cosine", "linear", "constant"]
    """How the rate falls from the peak. The paper has cosine in phase 1 and linear in phase 2."""

    final_ratio: Share
    """Rate at the last step of the phase, as a share of the peak; without effect on constant."""


class PhaseConfig(Section):
    """One phase of the pretraining: so many tokens of a mixture, under a schedule of its own."""

    tokens: Positive
    """Budget in tokens. 500, 50 and 5 billion in the paper."""

    sequence_length: Count
    """Tokens of a sequence; at most `model.sequence_length`."""

    global_batch: Count
    """Sequences a step, over all ranks; a multiple of `parallel.micro_batch` x `parallel.data`."""

    sources: dict[str, PhaseSource]
    """The mixture: source of `index.sources` -> its part."""

    learning_rate: LearningRateConfig
    """The schedule of the learning rate."""

    optimizer_state: Literal["carry", "reset"]
    """What becomes of Adam's moments as the phase begins. Not stated by the paper."""


class DeviceConfig(Section):
    """The device of a rank, as `plan dry` and `plan layouts` assume it. Training does not read it."""

    kernels: Literal["transformer_engine", "torch"]
    """Whose kernels a dry run stands for: Transformer Engine's of a GPU, or torch's of a CPU."""

    memory_gib: Positive
    """Memory of a device that a rank may fill: without what CUDA, NCCL and fragmentation take."""

    memory_gbs: Positive
    """GB/s of that memory, which the optimizer's update takes."""

    utilisation: Share
    """Part of `precision.peak_tflops` that a layer reaches, all that lies between matrix products included."""

    per_node: Count
    """Devices of a node."""

    link_gbs: Positive
    """GB/s of a device to others of its node, in one direction."""

    network_gbs: Positive
    """GB/s of a device to other nodes, in one direction."""

    latency_us: Positive
    """Microseconds of a collective besides its bytes."""


class LayoutsConfig(Section):
    """The layouts that `plan layouts` compares: all combinations that the rules allow, on as many ranks as `parallel`
    has."""

    tensor: list[Count]
    """Values of parallel.tensor; above 1, with sequence parallelism."""

    pipeline: list[Count]
    """Values of parallel.pipeline."""

    virtual_stages: list[Count]
    """Values of parallel.virtual_stages, with pipelines."""

    context: list[Count]
    """Values of parallel.context."""

    micro_batch: list[Count]
    """Values of parallel.micro_batch."""

    recompute: list[Literal["none", "selective", "full"]]
    """Values of parallel.recompute."""


class PlanConfig(Section):
    """The plan says which samples each step reads, and what it costs."""

    dir: str
    """Folder of the plan."""

    tokens_per_second_per_gpu: Positive | None
    """Speed assumed for GPU-hours and dates until steps of the run are measured; null: not known until then."""

    start: str | None
    """ISO date and time at which the forecast begins; null: now."""

    layouts: LayoutsConfig
    """What `plan layouts` compares."""


class ParallelConfig(Section):
    """Losses do not depend on the layout."""

    tensor: Count
    """Ranks over which each matrix is split."""

    sequence: bool
    """Split norms and what lies between matrices along the sequence, over the tensor ranks; saves memory."""

    pipeline: Count
    """Ranks over which the layers are split."""

    virtual_stages: Count
    """Model chunks a pipeline rank, interleaved for shorter waits; 1: not interleaved."""

    context: Count
    """Ranks over which each sequence is split. Needs CUDA and Transformer Engine."""

    data: Count
    """Copies of the model, each with other sequences of the batch."""

    micro_batch: Count
    """Sequences that a copy computes at once; more of them need more memory."""

    distributed_optimizer: bool
    """Split Adam's state over the data ranks."""

    overlap: bool
    """Reduce gradients and gather parameters while computing."""

    recompute: Literal["none", "selective", "full"]
    """What is computed again in the backward pass to save memory. selective: the core of attention. full: whole
    layers."""

    @property
    def world_size(self) -> int:
        return self.tensor * self.pipeline * self.context * self.data


class PrecisionConfig(Section):
    dtype: Literal["fp32", "bf16"]
    """Type of weights and activations; with bf16 the optimizer keeps the weights in fp32."""

    fp8: Literal["none", "delayed", "tensorwise", "blockwise", "mxfp8"]
    """Transformer Engine's recipe of scaling for matrix products in fp8, by a factor for each tensor (delayed: of the
    steps before; tensorwise), 128 x 128 weights (blockwise) or 32 numbers (mxfp8). Needs CUDA, Hopper or newer, for
    mxfp8 Blackwell; and bf16."""

    gradients_fp32: bool
    """Accumulate and reduce gradients in fp32."""

    peak_tflops: Positive | None = None
    """Dense TFLOP/s of a device in this precision, for the FLOP utilisation; null: not known."""


class OptimizerConfig(Section):
    """Adam with decoupled weight decay.

    The paper says "Adam" and the peak; the rest is as DeepSeek-Coder and Llama 2 have it.
    """

    lr: Positive
    """Peak learning rate of all phases. The paper's is DeepSeek-Coder's for 1.3B, 5.3e-4."""

    beta1: Annotated[float, Field(ge=0.0, lt=1.0)]
    """Decay of the mean of gradients."""

    beta2: Annotated[float, Field(ge=0.0, lt=1.0)]
    """Decay of the mean of their squares."""

    eps: Positive
    """Added to the root of that mean."""

    weight_decay: Annotated[float, Field(ge=0.0)]
    """Weight decay, times the learning rate."""

    clip: Positive
    """Norm of the gradient over all parameters, at most: a larger one is scaled down."""


class CheckpointConfig(Section):
    every_steps: Count
    """Steps between checkpoints. The end of a phase has one besides."""

    keep: Count
    """Newest ones that stay; the ends of phases stay besides."""

    asynchronous: bool
    """Write while the training goes on."""

    upload: Annotated[str, Field(pattern="^s3://")] | None
    """S3 prefix to which each complete checkpoint is copied in the background; null: none."""


class LaunchConfig(Section):
    kind: Literal["local", "slurm"]
    """local: processes of this machine. slurm: one task a rank by srun, within a job of slurm/phase*.sh."""

    srun: list[Annotated[str, Field(pattern="^--?[a-zA-Z]")]]
    """Options of srun for the ranks, each with its value, such as --mpi=none."""

    python: list[str]
    """Words that start the Python of the ranks, a container's before it; empty: this command's. See docs/cluster.md."""

    threads: Natural
    """CPU threads a rank; 0: cores divided by ranks."""

    timeout_minutes: Positive
    """Minutes of a collective, or of saving a checkpoint, before a rank gives up."""

    silent_seconds: Positive
    """Seconds without a word from a rank, before it counts as lost."""

    retries: Natural
    """Restarts by Slurm without a new checkpoint in between, before a run gives up."""

    node_check: bool
    """Time a matrix product, a collective and the disk of each rank before the training."""

    outlier: Annotated[float, Field(gt=1.0)]
    """A rank that takes so many times the median fails the node check."""


class LoggingConfig(Section):
    """metrics.jsonl has every step in any case."""

    every_steps: Count
    """Steps between lines on the screen. metrics.jsonl and the trackers have every step."""

    tensorboard: bool
    """Write TensorBoard's files."""

    validate_every: Natural
    """Steps between evaluations on held-out documents; 0: never."""

    validate_samples: Count
    """Sequences of held-out documents of each source, at most."""

    profile_steps: tuple[Natural, Natural] | None
    """First and last step that torch.profiler records; null: none."""

    wandb: str | None
    """Name of a Weights & Biases project; null: off."""

    mlflow: str | None
    """Name of an MLflow experiment, its server by MLFLOW_TRACKING_URI; null: off."""

    prometheus: str | None = None
    """Folder that node_exporter reads (--collector.textfile.directory), for the run's newest numbers; null: off."""


class GuardConfig(Section):
    """A step with a non-finite loss or gradient is always skipped.

    What is a spike is OLMo-core's rule for a step that it skips.
    """

    window: Annotated[int, Field(ge=8)]
    """Recent losses of the phase that a loss is compared with."""

    sigma: Positive
    """A spike: so many of their standard deviations above their mean."""

    skip_steps: Count
    """Steps that are passed over after going back: the spike's and those before it. Chosen by us."""

    max_skips: Count
    """Steps skipped within a window, before the run goes back. Chosen by us."""


class NotifyConfig(Section):
    command: str | None
    """Run by the shell with SNOWCODER_EVENT, _TEXT, _STEP and _RUN in its environment; null: nobody is told."""

    events: list[str]
    """Kinds of events.log that are worth a message, see docs/operations.md."""


class ExportConfig(Section):
    dir: str
    """Folder of the exported model."""

    step: Natural | None
    """Step whose checkpoint is exported; null: the newest valid one."""

    licence: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")] | None
    """The model's licence for its card, an identifier of the Hugging Face hub, such as apache-2.0 or other; null: the
    card says that none is given."""


class Config(Section):
    """All that a run is made by."""

    run: RunConfig
    """The run: its folder, seed and phases."""

    storage: StorageConfig
    """Where shards lie: S3 or disk."""

    corpus: CorpusConfig
    """Raw shards to clean documents: places, workers, near copies."""

    repositories: RepositoriesConfig
    """What `corpus pack` takes from repositories."""

    licence_policy: LicencePolicyConfig
    """Under which licences code is taken, and who has opted out."""

    filters: FiltersConfig
    """Rules by which a file is dropped."""

    pii: PiiConfig
    """Personal data and secrets in the text."""

    decontamination: DecontaminationConfig
    """Benchmarks whose tasks must not be trained on."""

    grouping: GroupingConfig
    """What one training document is made of."""

    tokenizer: TokenizerConfig
    """The tokenizer and its training."""

    index: IndexConfig
    """Sources as token ids on disk, and the columns of shards."""

    model: ModelConfig
    """The shape of the model."""

    packing: PackingConfig
    """Whether attention crosses documents in a sequence."""

    fim: FimConfig
    """Fill-in-the-middle."""

    annotator: AnnotatorConfig
    """The quality annotator: what it learns from, reads and selects."""

    study: StudyConfig
    """Annotators compared on benchmarks."""

    synthesis: SynthesisConfig
    """The recipe by which a language model writes training data."""

    phases: dict[str, PhaseConfig]
    """The phases of the training in their order: name -> budget, mixture, schedule."""

    plan: PlanConfig
    """The plan's folder, and what its forecast assumes."""

    parallel: ParallelConfig
    """How the training is split over ranks."""

    device: DeviceConfig
    """What `plan dry` and `plan layouts` assume of a rank's device."""

    precision: PrecisionConfig
    """In which numbers the training computes."""

    optimizer: OptimizerConfig
    """The optimizer."""

    checkpoint: CheckpointConfig
    """When checkpoints are written, which stay, where copies go."""

    launch: LaunchConfig
    """How ranks are started and watched."""

    logging: LoggingConfig
    """What is measured, how often, and where it goes."""

    guard: GuardConfig
    """When a run goes back after a loss spike."""

    notify: NotifyConfig
    """Who is told of what happens to a run."""

    export: ExportConfig
    """The model in Hugging Face format."""

    evaluation: EvaluationConfig
    """Exported models on code benchmarks."""

    guidance: GuidanceConfig
    """A completion engine and a grammar beside a model that writes code."""

    repair: RepairConfig
    """Bugs that an exported model writes patches for."""

    finetune: FinetuneConfig
    """Fine-tuning the exported model on conversations."""

    ablation: AblationConfig | None = None
    """The ablation that `ablate` trains; null: none is asked for."""
