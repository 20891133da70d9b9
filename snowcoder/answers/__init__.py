"""What OpenAI-compatible servers answer: one reader for synthesis and evaluation, and who is to blame if it is none."""

from snowcoder.answers.failure import Failure, NoAnswer, classify
from snowcoder.answers.read import Answer, read_chat, read_completion
from snowcoder.answers.sampling import Sampling, switched_off

__all__ = ["Answer", "Failure", "NoAnswer", "Sampling", "classify", "read_chat", "read_completion", "switched_off"]
