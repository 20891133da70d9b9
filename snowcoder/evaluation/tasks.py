"""A task of a benchmark: what the model is given, and how a program is checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asserts:
    """Test code that raises if the program is wrong."""

    code: str


@dataclass(frozen=True)
class Outputs:
    """Inputs on which a program must give what the canonical solution gives."""

    entry_point: str
    inputs: list[list[Any]] | list[str]  # arguments of each call; strings: the arguments as Python source
    rules: str  # whose comparison of two outputs it is: evalplus or evoeval
    tolerance: float = 0.0  # absolute, for floats
    oracle: str = ""  # a function of judge/oracles.py that decides instead of the comparison


Check = Asserts | Outputs


@dataclass(frozen=True)
class Task:
    name: str  # as its authors have it
    prompt: str  # what the model continues
    canonical: str  # a whole program that is right
    # Level -> how a program is checked. A level counts as passed if it and those before it are.
    checks: dict[str, Check]
    before: str = ""  # code that goes before the prompt in the program
    suffix: str = ""  # infilling: what stands after the completion; part of the program
    stops: tuple[str, ...] = field(default=())  # a completion ends before the first of these

    def program(self, completion: str) -> str:
        return f"{self.before}{self.prompt}{completion}{self.suffix}"
