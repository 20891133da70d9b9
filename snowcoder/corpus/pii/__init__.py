"""Personal data and secrets in source code: found, and replaced by what says that something was there."""

from snowcoder.corpus.pii.evaluate import evaluate
from snowcoder.corpus.pii.redact import PersonalDatum, Redactor

__all__ = ["PersonalDatum", "Redactor", "evaluate"]
