"""The section of conf/ for decoding beside a completion engine, see `schema.py`."""

from __future__ import annotations

from typing import Any, Literal

from snowcoder.config.section import Positive, Section


class GuidanceConfig(Section):
    """What a model that writes code is kept from (Repilot; Wei et al., 2023). In doubt a token is allowed."""

    names: Literal["none", "members", "all"]
    """Names that must be ones that the engine knows. members: those behind a dot. all: others, too."""

    memory: bool
    """Keep the engine's list of a place for all that is tried there, in all samples; false: ask anew for each token
    that is tried, as the paper's pruning without memorization does."""

    active: bool
    """Write at once what all names have in common that begin as the one that is being written: active completion."""

    grammar: bool
    """What is written can go on to something that parses, and ends where it does, with what follows it."""

    seconds: Positive
    """Seconds that the engine has for a list; one that is late counts as unknown."""

    replay: str | None
    """The record of an earlier run, answers.jsonl, that is asked in the engine's place; null: the engine."""

    @property
    def is_on(self) -> bool:
        return self.names != "none" or self.grammar

    @property
    def written_by(self) -> dict[str, Any]:
        """What decides what is written, and what that takes: not where the engine's answers are from."""
        return self.model_dump(mode="json", exclude={"replay"})
