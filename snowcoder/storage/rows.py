"""Rows of a shard as they are read: what should be text or lists may be anything."""

from __future__ import annotations

from typing import Any, NamedTuple


class Rows(NamedTuple):
    """Columns of some MiB of text."""

    contents: list[Any]
    metadata: list[list[Any]]  # in the order of `columns.METADATA`
    file_paths: list[Any]
    file_lengths: list[Any]


BYTES = 8 << 20  # of text that are read together
COUNT = 1024  # rows, at most
