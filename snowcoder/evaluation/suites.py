"""The benchmarks: where their data come from, in which version, and how their tasks are read.

Stop rules are those of the benchmarks' own code (evalplus 0.3.1, bigcodebench 0.2.5) for models that complete.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snowcoder.evaluation import readers
from snowcoder.evaluation.infilling import single_lines
from snowcoder.evaluation.tasks import Task

_EVALPLUS = "https://github.com/evalplus/{}_release/raw/{}/{}"
_EVOEVAL = "https://github.com/evo-eval/evoeval_release/raw/e676c55"


@dataclass(frozen=True)
class Suite:
    name: str
    title: str
    version: str
    tasks: int
    file: str  # below evaluation.data
    url: str
    digest: str  # xxh3-128 of the data, decompressed
    read: Callable[[list[dict[str, Any]]], list[Task]]
    new_tokens: int  # a completion has at most so many


def _humaneval(
    name: str, title: str, tasks: int, read: Callable[[list[dict[str, Any]]], list[Task]], new_tokens: int
) -> Suite:
    return Suite(
        name,
        title,
        "openai/human-eval 6d43fb9",
        tasks,
        "humaneval/HumanEval.jsonl.gz",
        "https://github.com/openai/human-eval/raw/6d43fb9/data/HumanEval.jsonl.gz",
        "50b8d5636bb2b304abf59033c9487999",
        read,
        new_tokens,
    )


def _evoeval(name: str, tasks: int, digest: str) -> Suite:
    read = readers.rewritten if name in ("verbose", "concise") else readers.evoeval
    file = f"EvoEval_{name}.jsonl.gz"
    title, version = f"EvoEval {name.replace('_', ' ')}", "evo-eval/evoeval_release e676c55"
    url = f"{_EVOEVAL}/{file}"
    return Suite(f"evoeval_{name}", title, version, tasks, f"evoeval/{file}", url, digest, lambda r: read(r, name), 512)


_ALL = (
    _humaneval("humaneval", "HumanEval", 164, readers.humaneval, 512),
    Suite(
        "humaneval_plus",
        "HumanEval+",
        "evalplus/humanevalplus_release 0.1.10",
        164,
        "humanevalplus/HumanEvalPlus.jsonl.gz",
        _EVALPLUS.format("humanevalplus", "200defc", "HumanEvalPlus.jsonl.gz"),
        "428753ac29da7924006b4e4f07a4f3c9",
        readers.humaneval_plus,
        512,
    ),
    Suite(
        "mbpp",
        "MBPP",
        "deepseek-ai/DeepSeek-Coder 2f9fd85 (google-research/mbpp)",
        500,
        "mbpp/mbpp.jsonl",
        "https://github.com/deepseek-ai/DeepSeek-Coder/raw/2f9fd85/Evaluation/MBPP/data/mbpp.jsonl",
        "4b199ccd885719a0fcab7b2db743a27b",
        readers.mbpp,
        512,
    ),
    Suite(
        "mbpp_plus",
        "MBPP+",
        "evalplus/mbppplus_release 0.2.0",
        378,
        "mbppplus/MbppPlus.jsonl.gz",
        _EVALPLUS.format("mbppplus", "dadf43d", "MbppPlus.jsonl.gz"),
        "68ff4914ca100bf8c2b79642a4c89419",
        readers.mbpp_plus,
        512,
    ),
    _evoeval("difficult", 100, "1f73637823518cea319a0521ab5e090a"),
    _evoeval("creative", 100, "6228e5757d0fb7b3f5ef81ab614237d7"),
    _evoeval("subtle", 100, "a92a7b0e685d30341a254eb66173f842"),
    _evoeval("combine", 100, "79eccfeb2359c0bdca33f916e6e49f51"),
    _evoeval("tool_use", 100, "85c45ef051ab99fe159a0e277bf02295"),
    _evoeval("verbose", 164, "2eef06fdc8f6bbdf154d6807cfd668c3"),
    _evoeval("concise", 164, "8106fc2efacd1dc32987d553bfc65a78"),
    Suite(
        "bigcodebench",
        "BigCodeBench",
        "bigcode-project/bigcodebench-annotation a3b8985, Complete",
        1140,
        "bigcodebench/BigCodeBench.hf_data.jsonl.gz",
        "https://github.com/bigcode-project/bigcodebench-annotation/raw/a3b8985/hf_data/BigCodeBench.hf_data.jsonl.gz",
        "6262f104bfbd77cf0b32590dc13f8608",
        readers.bigcodebench,
        1280,
    ),
    _humaneval("infilling", "HumanEval infilling", 1033, lambda rows: single_lines(readers.humaneval(rows)), 64),
)
SUITES = {suite.name: suite for suite in _ALL}
# The paper's EvoEval is the mean of these five (Wei et al., 2024, section 3.1).
EVOEVAL = tuple(f"evoeval_{name}" for name in ("difficult", "creative", "subtle", "combine", "tool_use"))
