"""The scores of all rules that have labelled examples, for the report."""

from __future__ import annotations

from snowcoder.corpus import pii
from snowcoder.corpus.decontamination import evaluate as decontamination
from snowcoder.corpus.labelled import HELD_OUT, Score

_RULES = {"personal data": pii.evaluate, "decontamination": decontamination.evaluate}


def held_out_scores() -> dict[str, dict[str, Score]]:
    """Rule -> kind of what it finds -> score on the examples that it was not made with."""
    return {rule: evaluate(HELD_OUT) for rule, evaluate in _RULES.items()}
