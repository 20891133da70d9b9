"""What the tests' server answers to each prompt of the recipes: mostly well, and wrong in every way that is planted."""

from __future__ import annotations

import json
import re
from typing import Any

import xxhash

from tests.corpus.raw_shards import TASK
from tests.synthesis.language_server import code_file

FENCE = "```"


def number_of(body: dict[str, Any]) -> int:
    return xxhash.xxh3_64_intdigest(json.dumps(body, sort_keys=True).encode())


def answer(body: dict[str, Any]) -> str | tuple[str, str]:
    """By the last message, which is a recipe's prompt."""
    prompt = body["messages"][-1]["content"]
    if "code to write a high-quality source file" in prompt:
        return _file(body, prompt)
    if "[Problem Description]" in prompt:
        return f"[Problem Description]\nSolve {number_of(body)}.\n\n[Solution]\n{code_file(body)}"
    if "Extract key programming concepts" in prompt:
        return f"<concepts>loops, sums, number {number_of(body)}</concepts>"
    if "Create a series of independent coding tasks" in prompt:
        return f"<instruction>Write a function `add` that adds {number_of(body) % 1000} to a number.</instruction>"
    if "Write responses to programming instructions" in prompt:
        return _response(body, prompt)
    if "20 diverse code generation task" in prompt:
        return f"4. Write a function of {number_of(body)}.\n5. Sort {number_of(body)} words.\n"
    if "increase the difficulty" in prompt:
        return prompt.rpartition("\n")[2] + " Use constant memory."
    return f"Like this:\n{code_file(body)}"


PLANTED = {
    "not finished": "cut off",
    "no block of code": "no block",
    "syntax": "not code",
    "near copy": "a copy",
    "benchmark": "a task",
}


def _file(body: dict[str, Any], prompt: str) -> str | tuple[str, str]:
    """What is wrong is decided by the request: one in seven of each kind."""
    language = re.findall(r"source file in ([^.]+)\.", prompt)[0]
    kind = number_of(body) % 14
    if language == "C":
        return f"{FENCE}c\nint f{number_of(body)}(int a) {{ return a + {kind}; }}\n{FENCE}"
    text = code_file(body)
    if kind == 0:
        return text[:100], "length"
    if kind == 1:
        return "I would rather not."
    if kind == 2:
        return f"{FENCE}python\ndef f(:\n  return\n{FENCE}"
    if kind in (3, 4):  # long enough to be compared, and alike but for the end
        lines = "\n".join(f"value_{n} = compute_something_of({n}, scale={n % 7})" for n in range(80))
        return f"{FENCE}python\n{lines}\nend = {number_of(body)}\n{FENCE}"
    if kind == 5:
        return f"{FENCE}python\n{TASK}\n# {number_of(body)}\n{FENCE}"
    return text


def _response(body: dict[str, Any], prompt: str) -> str:
    """Of ten answers to an instruction most are wrong, and one tries to get away with it."""
    amount = re.findall(r"adds (\d+) to", prompt)[-1]
    kind = number_of(body) % 5
    wrong = {0: f"x + {amount}", 1: f"x - {amount} - 1", 2: "undefined", 3: "exit(0)", 4: f"x + {amount}"}[kind]
    code = f"{FENCE}python\ndef add(x):\n    return {wrong}\n{FENCE}"
    return (
        f"<response>\nAdd it.\n\n{code}\n</response>\n<tests>\n{FENCE}python\nassert add(1) == 1 + {amount}\n{FENCE}\n"
    )
