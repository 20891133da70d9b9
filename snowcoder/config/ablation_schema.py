"""The section of conf/ for ablations, see `schema.py`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from snowcoder.config.section import Section


class VariantConfig(Section):
    """One run of an ablation."""

    overrides: tuple[str, ...] = ()
    """What sets this variant apart, as on the command line; `{folder}` in them is the variant's folder."""

    paper: dict[str, float] = Field(default_factory=dict)
    """What the paper's model with this setting reached: benchmark -> pass@1 in percent. Shown in the table."""


class AblationConfig(Section):
    """Runs that differ in one thing."""

    name: str
    """Folder of the variants, below `ablations/` of `run.dir`."""

    start_after: str | None
    """Phase of the run in `run.dir` whose last checkpoint all variants go on from; null: each starts anew."""

    stages: Annotated[list[str], Field(min_length=1)]
    """Commands that make a variant, in their order, such as `plan` and `train`."""

    baseline: str | None
    """Variant with whose exported model `snowcoder evaluate` compares the others'; null: none is evaluated."""

    shared: list[str]
    """Overrides of all variants; `{folder}` in them is the variant's folder."""

    variants: Annotated[dict[str, VariantConfig], Field(min_length=1)]
    """The runs that are compared: name -> what is its own."""
