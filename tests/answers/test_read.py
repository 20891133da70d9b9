"""What is an answer and what is none, as servers that are known for it send it; where reasoning ends, by its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from snowcoder.answers import NoAnswer, read_chat, read_completion
from snowcoder.answers.fences import fenced_blocks
from snowcoder.answers.read import read_json, usage_of

FENCE = "```"


def completion(**changes: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": "x = 1", "finish_reason": "stop", **changes}]}


def chat(finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}]}


@pytest.mark.parametrize(
    ("body", "kind", "blame", "says"),
    [
        (b"", "garbage", "request", "an empty body"),
        (b"<html><h1>Bad gateway</h1></html>", "garbage", "request", "Bad gateway"),
        (b'{"choices": [{"te', "garbage", "request", "not JSON"),
        (b'"hello"', "garbage", "request", "no JSON object"),
        (b"null", "garbage", "request", "no JSON object"),
        ({"choices": []}, "garbage", "request", "no choices"),
        ({"choices": None}, "garbage", "request", "no choices"),
        ({"choices": {"0": {}}}, "garbage", "request", "no choices"),
        ({"detail": "Not Found"}, "garbage", "request", "Not Found"),
        ({"choices": ["x"]}, "garbage", "request", "not the one choice"),
        ({"choices": completion()["choices"] * 2}, "garbage", "request", "not the one choice"),
        (completion(index=1), "garbage", "request", "not the one choice"),
        (completion(text=None), "garbage", "request", "no text"),
        (completion(text=["x"]), "garbage", "request", "no text"),
        (completion(text="\ud83d"), "garbage", "request", "half a surrogate pair"),
        (completion(finish_reason=None), "garbage", "request", "no finish_reason"),
        (completion(finish_reason="abort"), "ended by abort", "request", ""),
        (completion(finish_reason="error"), "ended by error", "request", ""),
        (completion(finish_reason="content_filter"), "ended by content_filter", "refused", ""),
        (completion(error={"message": "died", "code": 500}), "status 500", "request", "died"),
        ({"error": {"message": "Upstream overloaded", "code": 502}}, "status 502", "request", "Upstream overloaded"),
        ({"error": {"message": "wait", "code": "503"}}, "busy", "server", "wait"),
        ({"error": {"message": "slow", "code": "rate_limit_exceeded"}}, "too many requests", "server", "slow"),
        ({"error": {"message": "pay", "type": "insufficient_quota"}}, "no quota left", "stage", "pay"),
        ({"error": {"message": "who", "code": 401}}, "the API key is wrong (status 401)", "stage", "who"),
        ({"error": "boom"}, "an error in the answer", "request", "boom"),
        ({"object": "error", "message": "too long", "code": 400}, "status 400", "refused", "too long"),
    ],
)
def test_what_is_no_completion_and_who_is_to_blame(body: Any, kind: str, blame: str, says: str) -> None:
    with pytest.raises(NoAnswer) as found:
        read_completion(read_json(body if isinstance(body, bytes) else json.dumps(body).encode()))
    assert found.value.failure[:2] == (kind, blame)
    assert says in found.value.failure.detail


@pytest.mark.parametrize("usage", [None, "none", {"prompt_tokens": "3"}, {"prompt_tokens": 3, "completion_tokens": 4}])
def test_an_answer_is_read_whatever_its_usage_is(usage: Any) -> None:
    for finish in ("stop", "length"):
        raw = {**completion(finish_reason=finish), "usage": usage}
        assert read_completion(raw)[:2] == ("x = 1", finish)
    known = isinstance(usage, dict) and len(usage) == 2
    assert usage_of(raw) == {"prompt_tokens": 3 if known else 0, "completion_tokens": 4 if known else 0}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("eos", "stop"), ("eos_token", "stop"), ("stop_sequence", "stop"), ("STOP", "stop"), ("model_length", "length")],
)
def test_an_end_by_another_name_is_one(theirs: str, ours: str) -> None:
    assert read_completion(completion(finish_reason=theirs)).finish == ours
    assert read_chat(chat(theirs, content="x")).finish == ours


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ({"choices": [{"index": 0, "finish_reason": "stop"}]}, "garbage"),
        (chat(content=None), "garbage"),
        (chat(content=""), "an empty answer"),
        (chat(content="<|im_end|>"), "an empty answer"),
        (chat(content=[{"type": "text", "text": ""}]), "an empty answer"),
        (chat("tool_calls", content=None, tool_calls=[]), "ended by tool_calls"),
        (chat(content=None, refusal="I cannot"), "the model refuses"),
        (chat(content=None, reasoning_content="hm"), "only reasoning"),
        (chat("length", content="", reasoning="hm"), "only reasoning"),
        (chat(content=[{"type": "thinking", "thinking": []}]), "only reasoning"),
        (chat(content="<think>\nhm"), "only reasoning"),
        (chat("length", content="<think>\nhm\n</think>\n"), "only reasoning"),
        (chat(content="<|channel|>analysis<|message|>hm"), "only reasoning"),
    ],
)
def test_what_is_no_chat_completion(raw: dict[str, Any], kind: str) -> None:
    with pytest.raises(NoAnswer) as found:
        read_chat(raw)
    assert found.value.failure.kind == kind


def test_reasoning_in_a_place_of_its_own_is_left_there() -> None:
    assert read_chat(chat(content="x", reasoning_content="hm")) == ("x", "stop", 0, 0, True)
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "x"}]
    assert read_chat(chat(content=parts)) == ("x", "stop", 0, 0, True)
    assert read_chat(chat(content=parts[1:])) == ("x", "stop", 0, 0, False)


ANSWER = f"Here.\n\n{FENCE}python\nx = 1\n{FENCE}"
THOUGHT = f"The user says: no <b>.\n{FENCE}python\nbroken(\n{FENCE}\nwait."
# Code that speaks of the tags themselves.
CODE = f'{FENCE}python\nT = """<think>\n{{a}}\n</think>\n<|im_start|>user\n"""\nb = t.split("</think>")\n{FENCE}'


@pytest.mark.parametrize("answer", [ANSWER, CODE, "1. Sum.\n2. Sort."])
@pytest.mark.parametrize(
    "text",
    [
        "<think>\n{t}\n</think>\n\n{a}",
        "<think>{t}</think>{a}",
        "<think>\n\n</think>\n\n{a}",
        "<think>\nof <think> and </think> tags\n{t}\n</think>\n{a}",
        "<Thinking>\n{t}\n</Thinking>\n{a}",
        "<seed:think>{t}</seed:think>\n{a}",
        "[THINK]{t}[/THINK]{a}",
        "◁think▷{t}◁/think▷{a}",
        "<|START_THINKING|>{t}<|END_THINKING|><|START_RESPONSE|>{a}<|END_RESPONSE|>",
        "{t}\n</think>\n\n{a}",  # begun by the prompt
        "<|im_start|>assistant\n<think>\n{t}\n</think>\n\n{a}<|im_end|>",
        "<think>a</think>\n<think>\n{t}\n</think>\n{a}",
        "<|channel|>analysis<|message|>{t}<|end|><|start|>assistant<|channel|>final<|message|>{a}<|return|>",
        "analysisWe need code. {t}assistantfinal{a}",
    ],
)
def test_what_follows_the_end_of_reasoning_is_the_answer(text: str, answer: str) -> None:
    assert read_chat(chat(content=text.format(t=THOUGHT, a=answer)))._replace(finish="") == (answer, "", 0, 0, True)


@pytest.mark.parametrize("answer", [ANSWER, f"{ANSWER}\n", CODE, f"So:\n{CODE}\n", "It ends at `</think>`."])
def test_an_answer_without_reasoning_stays_as_it_is(answer: str) -> None:
    assert read_chat(chat(content=answer)) == (answer, "stop", 0, 0, False)


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<|eot_id|>", "</s>", "\n<|im_end|>\n", "<end_of_turn>\n<eos>", "<|return|>"]
)
def test_control_tokens_at_the_end_are_left_out(token: str) -> None:
    assert read_chat(chat(content=ANSWER + token)) == (ANSWER, "stop", 0, 0, False)


@pytest.mark.parametrize(
    "text",
    [
        f"Sure.\n<think>\nhm\n</think>\n{ANSWER}",
        f"I shall use <think> tags.\nwait.\n</think>\n{ANSWER}",
        f"wait.</think> So: {ANSWER}",
        # Begun by the prompt, and broken off within a block.
        f"So:\n{FENCE}python\nx =\nno.\n</think>\n\nIt is one.",
        f"So:\n{FENCE}\nx =\nno.\n</think>\n\n{FENCE}\nx = 1\n{FENCE}",
        f"{ANSWER}<|im_end|>\n<|im_start|>user\nAnd now?",
    ],
)
def test_where_the_place_does_not_decide_the_answer_is_refused(text: str) -> None:
    with pytest.raises(NoAnswer, match="reasoning or control tokens in the answer"):
        read_chat(chat(content=text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```py\nx\n```", [("py", "x\n", True, False)]),
        ("   ```py\n   x\n     y\n  z\n   ```", [("py", "x\n  y\nz\n", True, False)]),
        ("- a\n\n      ```py\n      x\n      ```", [("py", "x\n", True, False)]),
        ("````md\n```py\nx\n```\n````", [("md", "```py\nx\n```\n", True, False)]),
        ("```py\nx\n`````", [("py", "x\n", True, False)]),
        ("~~~py\n```\n~~~", [("py", "```\n", True, False)]),
        ('```py\n"""\n    ```\n"""\n```', [("py", '"""\n    ```\n"""\n', True, False)]),
        ('```py\n"""\n```sh\nls\n```\n"""\n```', [("py", '"""\n```sh\nls\n', True, True), ("", "", False, False)]),
        ("```py\nx", [("py", "x", False, False)]),
        ("```py\nx\n``` Done.", [("py", "x\n``` Done.", False, True)]),
        ("Use ```x``` here.\n```x``` too", []),
    ],
)
def test_fences_are_commonmarks(text: str, found: list[tuple[str, str, bool, bool]]) -> None:
    assert [each[2:] for each in fenced_blocks(text)] == found
