"""What a check of the doctor has to say: one line, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from snowcoder.config.schema import Config

Level = Literal["ok", "warning", "problem"]


class Finding(NamedTuple):
    level: Level
    subject: str
    text: str


Finder = Callable[[Config], Iterator[Finding]]


def phases_of(config: Config) -> list[str]:
    return list(config.run.phases or config.phases)


def sources_read(config: Config) -> list[str]:
    """The sources that the phases of this run read."""
    return list(dict.fromkeys(name for phase in phases_of(config) for name in config.phases[phase].sources))
