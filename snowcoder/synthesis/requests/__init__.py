"""Questions to language models behind OpenAI-compatible servers, and a log that no paid answer is lost from."""

from snowcoder.synthesis.requests.client import Client, open_client
from snowcoder.synthesis.requests.log import AnswerLog
from snowcoder.synthesis.requests.request import Answer, Refused, Request

__all__ = ["Answer", "AnswerLog", "Client", "Refused", "Request", "open_client"]
