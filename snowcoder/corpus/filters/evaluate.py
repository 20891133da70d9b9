"""Precision and recall of the rule for generated files, on heads of files as generators and people write them."""

from __future__ import annotations

from snowcoder.corpus.document import Document
from snowcoder.corpus.filters.generated import generated
from snowcoder.corpus.labelled import RuleScore, Tally, read


def evaluate(*halves: str) -> dict[str, RuleScore]:
    """On the halves named, or both."""
    tally = Tally()
    for row in read("generated", *halves):
        document = Document(row["text"], "", row["path"], row["language"], ())
        tally.add("generated", generated(True, document) is not None, row["generated"])
    return tally.scores()
