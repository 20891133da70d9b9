"""Reasoning and control tokens that a server left in an answer's text: where the answer begins, and where it ends.

Decided by place. An answer may be code that speaks of such tags: what is within it, and above all within its blocks of
code, stays as it is. Where the place does not decide, the answer is refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from snowcoder.answers.fences import fenced_blocks, unfenced

ONLY_REASONING = "only reasoning"

_NAME = r"(?:\w+[:_])?(?:think(?:ing)?|thoughts?)"
# How reasoning begins and ends, by models that are known for it.
_PAIRS = {
    rf"<{_NAME}>": rf"</{_NAME}>",  # DeepSeek, Qwen; seed:think, longcat_think and the like
    r"\[THINK\]": r"\[/THINK\]",  # Mistral
    r"◁think▷": r"◁/think▷",  # Kimi
    r"<\|START_THINKING\|>": r"<\|END_THINKING\|>",  # Cohere
    r"<\|begin_of_thought\|>": r"<\|end_of_thought\|>",
    r"<\|channel>thought\b": r"<channel\|>",  # Gemma
    r"<unused94>thought\b": r"<unused95>",
}
_BEGIN, _END = "|".join(_PAIRS), "|".join(_PAIRS.values())
_ENDS = re.compile(_END, re.IGNORECASE)
# gpt-oss: with its control tokens, or where the server has left those out.
_CHANNELS = re.compile(
    r"\s*(?:(?:<\|start\|>assistant)?<\|channel\|>(?!final)|analysis(?=\S)(?=.*assistantfinal))", re.DOTALL
)
_FINAL = re.compile(r"<\|channel\|>final\b[^<\n]*(?:<\|constrain\|>[^<\n]*)?<\|message\|>|assistantfinal")

_TURN = r"<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|start\|>|<\|channel\|>"
_TURN_ENDS = (
    r"<\|(?:im_end|eot_id|eom_id|endoftext|end_of_text|end|return|call|end_of_sentence|endofturn|END_OF_TURN_TOKEN"
    r"|END_RESPONSE|end_of_solution)\|>|</s>|<eos>|<end_of_turn>|<turn\|>|<｜end▁of▁sentence｜>|\[EOS\]"
)
_BEFORE = re.compile(
    r"(?:\s*(?:<\|im_start\|>(?:assistant)?|<\|start_header_id\|>assistant<\|end_header_id\|>|<start_of_turn>model"
    rf"|<s>|<\|begin_of_text\|>|<\|START_RESPONSE\|>|<\|begin_of_solution\|>|{_FINAL.pattern.rpartition('|')[0]}))+"
)
_AFTER = re.compile(rf"(?:\s*(?:{_TURN_ENDS}))+\s*\Z")
_WITHIN = re.compile(rf"^[ \t]*(?:{_TURN}|{_BEGIN})|(?:{_TURN_ENDS})\s*(?:{_TURN})", re.MULTILINE | re.IGNORECASE)
# What none of which is in needs no closer look, which takes as long as all else that is done with an answer.
_MARKS = (
    "think",
    "thought",
    "<|",
    "|>",
    "_of_turn>",
    "<eos>",
    "[eos]",
    "<s>",
    "</s>",
    "<unused9",
    "<｜",
    "assistantfinal",
)
_BLANK_LINES = re.compile(r"(?:[ \t]*\r?\n)*")
_QUOTES = ("`", '"', "'")
_RUN_ON = re.compile(rf"(?<=```|~~~)(?={_TURN_ENDS})")  # no end of a block for CommonMark
_LINE_ENDS = re.compile(r"[ \t]*(?:\r?\n|\Z|```|~~~)")


class Stripped(NamedTuple):
    text: str
    reasoned: bool  # reasoning was left out
    fault: str | None  # why it is no answer


def without_reasoning(text: str) -> Stripped:
    lower = text.lower()
    if not any(mark in lower for mark in _MARKS):
        return Stripped(text, False, None)
    reasoned, text = False, _begun(text)
    while (end := _end_of_reasoning(text)) is not None:
        reasoned, text = True, _begun(text[end:])
        text = text[_BLANK_LINES.match(text).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    text = _AFTER.sub("", text)
    if reasoned and not text.strip():
        return Stripped("", True, ONLY_REASONING)
    return Stripped(text, reasoned, None if _is_clear(text) else "reasoning or control tokens in the answer")


def _begun(text: str) -> str:
    """Without control tokens before it."""
    before = _BEFORE.match(text)
    return text[before.end() :].removeprefix("\n") if before else text


def _end_of_reasoning(text: str) -> int | None:
    """The text's length where it never ends; None where there is none."""
    if _CHANNELS.match(text):
        final = _FINAL.search(text)
        return final.end() if final else len(text)
    for begin, end in _PAIRS.items():
        if begins := re.match(rf"\s*(?:{begin})", text, re.IGNORECASE):
            return _end_after(text, begins.end(), re.compile(end, re.IGNORECASE))
    # The prompt began it, as chat templates do.
    plain = unfenced(text)
    ends = next((each for each in _ENDS.finditer(plain) if _is_at_edge(plain, each)), None)
    return ends.end() if ends and not re.search(_BEGIN, plain[: ends.start()], re.IGNORECASE) else None


def _end_after(text: str, begin: int, ends: re.Pattern[str]) -> int:
    """Reasoning may speak of its own end in the middle of a line, and so may code of the answer."""
    first = ends.search(text, begin)
    if first is None:
        return len(text)
    if "\n" not in text[begin : first.start()] or _is_at_edge(text, first):
        return first.end()
    plain = text[: first.end()] + unfenced(text[first.end() :])
    return next((end for end in ends.finditer(plain, first.end()) if _is_at_edge(plain, end)), first).end()


def _is_clear(text: str) -> bool:
    """Whether no tag or token is left that may be one of the chat's format; one in quotes is spoken of."""
    text = _RUN_ON.sub("\n", text)
    # Reasoning may break off within a block: then nobody knows which of the text is code.
    is_paired = all(block.is_closed and not block.has_fence for block in fenced_blocks(text))
    if not is_paired and any(_is_at_edge(text, end) for end in _ENDS.finditer(text)):
        return False
    plain = unfenced(text)
    return not _WITHIN.search(plain) and all(
        plain[end.end() : end.end() + 1] in _QUOTES for end in _ENDS.finditer(plain)
    )


def _is_at_edge(text: str, tag: re.Match[str]) -> bool:
    """Whether it begins or ends its line; a block of code may follow at once."""
    line = text.rfind("\n", 0, tag.start()) + 1
    return not text[line : tag.start()].strip() or bool(_LINE_ENDS.match(text, tag.end()))
