"""The section of conf/ for the quality annotator, see `schema.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from snowcoder.config.section import Count, Natural, Positive, Section, Share


class EncoderConfig(Section):
    """A BERT-style encoder with a linear head."""

    name: str  # package:NAME, a folder, or a model of the Hugging Face hub
    train: Literal["head", "all"]  # head: the encoder is frozen; its pooler and the head are trained
    tokens: Count  # of a section that it reads, with its special tokens


class SectionsConfig(Section):
    """A file is scored by its top, middle and bottom, averaged; a short one by as many as lie in it."""

    characters: Count  # of each


class ExamplesConfig(Section):
    """Files that the annotator learns from."""

    shards: str  # folder or S3 prefix
    files: Count  # drawn from it, at most
    scores: str | None = None  # of another annotator over these shards, and the least one with which a file is taken
    at_least: float | None = None


class AnnotatorTrainConfig(Section):
    epochs: Positive
    learning_rate: Positive
    batch: Count
    held_out: Share  # of the examples, for metrics and calibration


class ScoreConfig(Section):
    dir: str
    runtime: Literal["auto", "torch", "openvino"]  # auto: torch in bf16 on a GPU, else OpenVINO in int8


class SelectConfig(Section):
    source: str  # of index.sources, which is made
    tokens: Positive


class AnnotatorConfig(Section):
    dir: str
    encoder: EncoderConfig
    sections: SectionsConfig
    head: Literal["classification", "regression"]
    positives: dict[str, ExamplesConfig]  # classification: good files; regression: files with a label
    label: str  # column of the label, 0 to 5, in shards for regression
    negatives: ExamplesConfig | None  # files of the corpus; null for regression
    train: AnnotatorTrainConfig
    score: ScoreConfig
    select: SelectConfig
    inspect: Natural  # files shown of each language, best and worst


class StudyConfig(Section):
    """Annotators compared by how well they tell benchmarks' solutions from files of the corpus."""

    dir: str
    annotators: dict[str, str]  # name -> folder that `annotate train` wrote
    benchmarks: dict[str, list[str]]  # name -> files or folders of its tasks
    negatives: ExamplesConfig
    resamples: Count  # of the intervals' bootstrap
    # annotator -> benchmark -> percent, of a model trained on that annotator's selection
    pass_at_1: dict[str, dict[str, Annotated[float, Field(ge=0, le=100)]]]
