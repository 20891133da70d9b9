"""The section of conf/ for ablations, see `schema.py`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from snowcoder.config.section import Section


class VariantConfig(Section):
    overrides: tuple[str, ...] = ()  # `{folder}` in them is the variant's folder
    paper: dict[str, float] = Field(
        default_factory=dict
    )  # what the paper's model with this setting reached: benchmark -> percent


class AblationConfig(Section):
    """Runs that differ in one thing, and what they have in common."""

    name: str
    start_after: str | None  # phase of the run in `run.dir` whose last checkpoint all variants go on from
    stages: Annotated[list[str], Field(min_length=1)]  # commands, in their order
    shared: list[str]  # overrides, as those of a variant
    variants: Annotated[dict[str, VariantConfig], Field(min_length=1)]
