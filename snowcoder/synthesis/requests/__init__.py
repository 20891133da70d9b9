"""Questions to language models behind OpenAI-compatible servers, and a log that no paid answer is lost from."""

from snowcoder.synthesis.requests.client import Client, Left, Unanswered, open_client, server_urls
from snowcoder.synthesis.requests.log import AnswerLog
from snowcoder.synthesis.requests.request import Refused, Request

__all__ = ["AnswerLog", "Client", "Left", "Refused", "Request", "Unanswered", "open_client", "server_urls"]
