"""Answers of OpenAI-compatible servers: what is one, and why another thing is none.

A server on its way down, or a gateway before it, sends the strangest things with status 200. What is kept of an answer
has been through here, also where it comes from a file that an earlier version wrote.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import orjson

from snowcoder.answers.failure import Failure, NoAnswer, message_of, of_error
from snowcoder.answers.reasoning import ONLY_REASONING, without_reasoning

_COUNTS = ("prompt_tokens", "completion_tokens")
# Of OpenAI; and of Together, TGI, Mistral and gateways before other protocols, which mean the same.
_WHOLE = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
}
# Another try of the same request would end in the same way; all others may come of a server's bad moment.
_AGAIN_THE_SAME = ("content_filter", "tool_calls", "function_call")
_TAG = re.compile(r"<[^>]*>")


class Answer(NamedTuple):
    text: str  # without reasoning, and control tokens at its ends
    finish: str  # "stop"; "length": the server cut it off
    prompt_tokens: int
    completion_tokens: int
    reasoned: bool = False  # there was reasoning in it, which was left out


def read_json(body: bytes) -> Any:
    """Of an answer with status 200. Raises NoAnswer where it is none, or has half a surrogate pair, as no file may."""
    try:
        return orjson.loads(body)
    except ValueError as error:
        text = _TAG.sub(" ", body.decode(errors="replace"))
        if not text.strip():
            raise _garbage("an empty body") from None
        why = "half a surrogate pair" if "surrogate in" in str(error) else f"not JSON, {error}"
        raise _garbage(f"{why}: {text}") from None


def read_chat(raw: Any) -> Answer:
    """Of a chat completion, as JSON has it. Raises NoAnswer."""
    choice = _choice(raw)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _garbage("no message in the answer")
    finish, content = _finish(choice), message.get("content")
    reasoned = bool(message.get("reasoning_content") or message.get("reasoning"))
    if isinstance(content, list):  # of parts, one kind of which is reasoning
        parts = [part for part in content if isinstance(part, dict)]
        reasoned |= any(part.get("type") != "text" for part in parts)
        content = "".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
    if not content and reasoned:
        raise NoAnswer(Failure(ONLY_REASONING, "refused", _why(finish)))
    if content is None and message.get("refusal"):
        raise NoAnswer(Failure("the model refuses", "refused", message_of(message["refusal"])))
    found = without_reasoning(_text(content))
    if found.fault:
        raise NoAnswer(Failure(found.fault, "refused", _why(finish) if found.fault == ONLY_REASONING else ""))
    if not found.text.strip():  # of a wrong chat template, say
        raise NoAnswer(Failure("an empty answer", "refused"))
    return Answer(found.text, finish, *_tokens(raw), reasoned or found.reasoned)


def read_completion(raw: Any) -> Answer:
    """Of a completion, as JSON has it. Raises NoAnswer."""
    choice = _choice(raw)
    return Answer(_text(choice.get("text")), _finish(choice), *_tokens(raw))


def _choice(raw: Any) -> dict[str, Any]:
    """The one that was asked for."""
    if not isinstance(raw, dict):
        raise _garbage(f"no JSON object: {json.dumps(raw)}")
    if raw.get("error") or raw.get("object") == "error":
        raise NoAnswer(of_error(raw.get("error") or raw))
    choices = raw.get("choices")
    if not isinstance(choices, list) or not choices:
        raise _garbage(f"no choices: {json.dumps(raw)}")
    choice = choices[0]
    if len(choices) > 1 or not isinstance(choice, dict) or choice.get("index") not in (0, None):
        raise _garbage(f"not the one choice that was asked for: {json.dumps(choices)}")
    if choice.get("error"):
        raise NoAnswer(of_error(choice["error"]))
    return choice


def _finish(choice: dict[str, Any]) -> str:
    finish = choice.get("finish_reason")
    if not isinstance(finish, str):
        raise _garbage("no finish_reason: nobody knows whether the answer is whole")
    if whole := _WHOLE.get(finish.lower()):
        return whole
    raise NoAnswer(Failure(f"ended by {finish[:40]}", "refused" if finish in _AGAIN_THE_SAME else "request"))


def _text(content: Any) -> str:
    if not is_text(content):
        raise _garbage("no text in the answer" if content is None else "its text is no text")
    return str(content)


def is_text(value: Any) -> bool:
    """Half a surrogate pair, which JSON can have, is none: no file could hold it."""
    try:
        value.encode()
    except (AttributeError, UnicodeEncodeError):
        return False
    return True


def usage_of(raw: Any) -> dict[str, int]:
    """Tokens in and out, also of what is no answer: it has a price all the same."""
    return dict(zip(_COUNTS, _tokens(raw), strict=True))


def _tokens(raw: Any) -> tuple[int, int]:
    usage = raw.get("usage") if isinstance(raw, dict) else None
    tokens_in, tokens_out = (usage.get(name) if isinstance(usage, dict) else 0 for name in _COUNTS)
    return tokens_in if isinstance(tokens_in, int) else 0, tokens_out if isinstance(tokens_out, int) else 0


def _why(finish: str) -> str:
    """Reasoning is all there is."""
    if finish == "length":
        return "max_tokens were used up before the answer began: the step needs more, or a server that does not reason"
    return "no answer follows it"


def _garbage(what: str) -> NoAnswer:
    return NoAnswer(Failure("garbage", "request", message_of(what)))
