"""The scores of all rules that have labelled examples, for the report."""

from __future__ import annotations

from snowcoder.corpus import languages, pii
from snowcoder.corpus.decontamination.evaluate import evaluate as evaluate_decontamination
from snowcoder.corpus.filters.evaluate import evaluate as evaluate_generated
from snowcoder.corpus.labelled import HELD_OUT, RuleScore
from snowcoder.corpus.licences.evaluate import evaluate as evaluate_licences

_RULES = {
    "licences": evaluate_licences,
    "languages": languages.evaluate,
    "generated files": evaluate_generated,
    "decontamination": evaluate_decontamination,
    "personal data": pii.evaluate,
}


def held_out_scores() -> dict[str, dict[str, RuleScore]]:
    """Rule -> kind of what it finds -> score on the examples that it was not made with."""
    return {rule: evaluate(HELD_OUT) for rule, evaluate in _RULES.items()}
