"""Personal data and secrets in source code: found, and replaced by what says that something was there."""

from snowcoder.corpus.pii.evaluate import evaluate
from snowcoder.corpus.pii.redact import Finding, Redactor

__all__ = ["Finding", "Redactor", "evaluate"]
