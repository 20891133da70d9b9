"""The section of conf/ for the quality annotator, see `schema.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from snowcoder.config.section import Count, Natural, Positive, Section, Share


class EncoderConfig(Section):
    """A BERT-style encoder with a linear head."""

    name: str
    """`package:NAME` of an installed Python package, a folder, or a model of the Hugging Face hub. The paper's is
    Snowflake/snowflake-arctic-embed-m."""

    train: Literal["head", "all"]
    """head: the encoder is frozen; its pooler and the head are trained, as in FineWeb-Edu's recipe. all: everything."""

    tokens: Count
    """Tokens of a section that it reads, with its special tokens; what is longer is cut off."""


class SectionsConfig(Section):
    """A file is scored by its top, middle and bottom, averaged; a short one by as many as lie in it."""

    characters: Count
    """Length of each section in characters. FineWeb-Edu reads 2,000 of a text's beginning."""


class ExamplesConfig(Section):
    """Files drawn from shards."""

    shards: str
    """Folder or S3 prefix of the shards they are drawn from."""

    files: Count
    """Files drawn from them, at most."""

    scores: str | None = None
    """Folder of another annotator's scores of these shards; goes together with `at_least`."""

    at_least: float | None = None
    """The least of those scores with which a file is taken."""


class AnnotatorTrainConfig(Section):
    """The paper names FineWeb-Edu's recipe and gives no numbers of its own."""

    epochs: Positive
    """Passes over the examples."""

    learning_rate: Positive
    """Peak learning rate."""

    batch: Count
    """Examples a step."""

    held_out: Share
    """Share of the examples kept out of training, for metrics and calibration."""


class ScoreConfig(Section):
    dir: str
    """Folder of the scores: a table a shard."""

    runtime: Literal["auto", "torch", "openvino"]
    """auto: torch in bf16 on a GPU, else OpenVINO in int8."""


class SelectConfig(Section):
    source: str
    """The source of `index.sources` that is made; its `selection_of` names the one that is selected from."""

    tokens: Positive
    """Budget in tokens; files are taken whole. 12.5 billion in the paper (section 2.3)."""


class AnnotatorConfig(Section):
    """The paper has four annotators (table 4); they differ in what they learn from."""

    dir: str
    """Folder of the trained annotator."""

    encoder: EncoderConfig
    """The encoder, chosen by `encoder=`."""

    sections: SectionsConfig
    """What of a file is read."""

    head: Literal["classification", "regression"]
    """classification: good files against files of the corpus. regression: a label is predicted."""

    positives: dict[str, ExamplesConfig]
    """For classification good files, for regression files with a label: name -> where they are."""

    label: str
    """Column of the label, 0 to 5, in the shards of a regression."""

    negatives: ExamplesConfig | None
    """Files of the corpus that good ones are told from; null for a regression."""

    train: AnnotatorTrainConfig
    """How it is trained."""

    score: ScoreConfig
    """What `annotate score` writes, and on what it computes."""

    select: SelectConfig
    """What `annotate select` makes of the scores."""

    inspect: Natural
    """Files that `annotate inspect` shows of each language, so many of the best and so many of the worst."""


class StudyConfig(Section):
    """How well they tell benchmarks' solutions from files of the corpus (paper, figure 2)."""

    dir: str
    """Folder of the study's table and figure."""

    annotators: dict[str, str]
    """The annotators compared: name -> folder that `annotate train` wrote."""

    benchmarks: dict[str, list[str]]
    """Name -> files of its tasks, or folders of them. The solutions are the positives."""

    negatives: ExamplesConfig
    """Files of the corpus, of which those that an annotator has learned from are left out."""

    resamples: Count
    """Resamples of the bootstrap by which the intervals of the AUC are found."""

    pass_at_1: dict[str, dict[str, Annotated[float, Field(ge=0, le=100)]]]
    """Annotator -> benchmark -> pass@1 in percent, of a model trained on that annotator's selection."""

    results: str | None
    """results.json of `snowcoder evaluate`, in place of `pass_at_1` for models that solve nothing: bits per byte of the
    benchmarks' solutions, of models with the annotators' names. `snowcoder ablate ablation=selection` leaves one."""
