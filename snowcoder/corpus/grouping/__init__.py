"""Files to training documents: which files make one, and in which order they stand in it."""

from __future__ import annotations

from snowcoder.corpus.grouping.dependency import order_by_dependency
from snowcoder.corpus.grouping.groups import Group, group_key, make_documents

__all__ = ["Group", "group_key", "make_documents", "order_by_dependency"]
