"""The inputs of MBPP+ in their true types: JSON has neither tuples nor sets nor complex numbers.

Which task means which is known only from the table in evalplus 0.3.1 (`data/mbpp.py`, Apache-2.0), which this repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Arguments = list[Any]


def typed(task: int, inputs: list[Arguments]) -> list[Arguments]:
    convert = next((convert for tasks, convert in _CONVERSIONS if task in tasks), None)
    return [list(convert(arguments)) for arguments in inputs] if convert else inputs


def _tuples(value: Any) -> Any:
    """Every list a tuple, all the way down."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _each(argument: Any) -> list[Any]:
    return [tuple(value) for value in argument]


_CONVERSIONS: list[tuple[set[int], Callable[[Arguments], Any]]] = [
    (
        {2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809},
        _each,
    ),
    ({63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780}, lambda a: map(_each, a)),
    ({75, 413, 444, 753}, lambda a: [_each(a[0]), a[1]]),
    ({106, 750}, lambda a: [a[0], tuple(a[1])]),
    ({115}, lambda a: [[set(v) if isinstance(v, list) and v else {} for v in a[0]]]),
    ({124}, lambda a: [float(a[0]), complex(a[1])]),
    ({250, 405, 446, 617, 720, 763, 808}, lambda a: [tuple(a[0]), a[1]]),
    ({259, 401, 445}, lambda a: [tuple(map(tuple, v)) for v in a]),
    ({278}, lambda a: [tuple(tuple(v) if isinstance(v, list) else v for v in a[0])]),
    ({307}, lambda a: [tuple(a[0]), a[1], a[2]]),
    ({722}, lambda a: [{key: tuple(value) for key, value in a[0].items()}, *a[1:]]),
    ({252}, lambda a: [complex(a[0])]),
    ({580, 615, 791}, _tuples),
]
