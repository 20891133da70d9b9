"""The rules of StarCoder, StarCoder2 and DeepSeek-Coder by which a file is dropped; conf/filters has their numbers."""

from __future__ import annotations

from snowcoder.corpus.filters.rules import Fault, Filter, first_fault, make_filters

__all__ = ["Fault", "Filter", "first_fault", "make_filters"]
