"""Precision and recall on labelled files, made up in the manner of real ones."""

from __future__ import annotations

from snowcoder.corpus.labelled import RuleScore, Tally, read
from snowcoder.corpus.languages.detect import detect
from snowcoder.corpus.languages.names import language_named


def evaluate(*halves: str) -> dict[str, RuleScore]:
    """By language, on the halves named, or both. A file's language may be given, as a shard's column does."""
    tally = Tally()
    for row in read("languages", *halves):
        given = row.get("given")
        found = language_named(given) if given else detect(row["path"], row["content"])
        if found:
            tally.add_found(found, right=found == row["language"])
        if row["language"]:
            tally.add_labelled(row["language"], recalled=found == row["language"])
    return tally.scores()
