"""What of a raw shard's columns `corpus build` needs, by what the config asks of it."""

from __future__ import annotations

from collections.abc import Iterator

from snowcoder.config.schema import Config
from snowcoder.storage.columns import ColumnNeed


def corpus_needs(config: Config) -> list[ColumnNeed]:
    """Each with the key that asks for it. A row without one of these is another matter: see `filter_step.py`."""
    columns = (("repository", _of_repository), ("licence", _of_licence), ("path", _of_path))
    needs = [ColumnNeed((column,), reason) for column, reasons in columns for reason in reasons(config)]
    return [*needs, ColumnNeed(("language", "path"), "a file's language is given, or guessed by its path")]


def _of_repository(config: Config) -> Iterator[str]:
    if config.licence_policy.opt_out:
        yield "licence_policy.opt_out needs to know whose a file is"
    if config.grouping.by != "file":
        yield f"grouping.by={config.grouping.by} joins files of a repository"
    if config.corpus.near.level == "repository":
        yield "corpus.near.level=repository compares repositories"


def _of_licence(config: Config) -> Iterator[str]:
    if config.licence_policy.allowed != "any":
        yield f"licence_policy.allowed={config.licence_policy.allowed} goes by licences"


def _of_path(config: Config) -> Iterator[str]:
    for name in ("vendored", "generated", "text_names"):
        if getattr(config.filters, name):
            yield f"filters.{name} goes by paths"
    if config.grouping.by == "subgraph" or config.grouping.order == "dependency":
        yield "imports (grouping.by=subgraph, grouping.order=dependency) lead to paths"
