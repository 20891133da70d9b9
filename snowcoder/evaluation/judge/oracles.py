"""What decides where more than one answer is right. Each is given the arguments, the output and the canonical output.

From evalplus 0.3.1 (`eval/_special_oracle.py`, `eval/__init__.py`) and evoeval 0.1.0 (`eval_test/`), both Apache-2.0.
"""

import itertools
import math


def polynomial(coefficients, x):
    return sum(coefficient * math.pow(x, power) for power, coefficient in enumerate(coefficients))


def root_of_polynomial(arguments, out, expected, tolerance):
    return abs(polynomial(arguments[0], out)) <= tolerance


def root_of_sparse_polynomial(arguments, out, expected, tolerance):
    first, second, *others = arguments[0]
    return abs(polynomial([first, second, *(each for other in others for each in (0, other))], out)) <= 1e-6


def root_in_interval(arguments, out, expected, tolerance):
    if expected is None:
        return out is None
    coefficients, (start, end) = arguments
    return start <= out <= end and abs(polynomial(coefficients, out)) <= 2e-2


def palindrome(arguments, out, expected, tolerance):
    return len(out) == len(expected) and out.startswith(arguments[0]) and out.lower() == out[::-1].lower()


def maze_moves(arguments, out, expected, tolerance):
    if not expected:
        return out == []
    maze, (row, column), end = arguments
    steps = {"right": (0, 1), "left": (0, -1), "up": (-1, 0), "down": (1, 0)}
    for move in out:
        row, column = row + steps[move][0], column + steps[move][1]
        if maze[row][column] == 1:
            return False
    return (row, column) == end


def grid_path(arguments, out, expected, tolerance):
    if not expected:
        return out == []
    grid, start, end = arguments
    is_connected = all(abs(x - a) + abs(y - b) == 1 for (a, b), (x, y) in itertools.pairwise(out))
    # The start's first coordinate twice is evoeval's own slip; it is kept, so that verdicts agree.
    is_free = grid[start[0]][start[0]] != 0 and all(grid[x][y] != 0 for x, y in out[1:])
    return out[0] == start and out[-1] == end and is_connected and is_free


def two_factors(arguments, out, expected, tolerance):
    if expected == "No magic today":
        return out == expected
    numbers, product = arguments
    first, second = out
    return isinstance(out, tuple) and 0 <= first < second < len(numbers) and numbers[first] * numbers[second] == product


def same_elements(arguments, out, expected, tolerance):
    return set(out) == set(expected)


def is_not_none(arguments, out, expected, tolerance):
    """`expected` says whether the canonical output is not None: some are not to be written down."""
    return out == expected if isinstance(out, bool) else (out is not None) == expected


def surface_area(arguments, out, expected, tolerance):
    """The height may also be meant from the base to the apex."""
    edge, height = arguments
    slant = math.sqrt((edge / 2) ** 2 + height**2)
    return out == expected or abs(out - round(edge**2 + 4 * (edge * slant) / 2)) <= tolerance


def digit_distance(arguments, out, expected, tolerance):
    """The shorter number may also be meant to begin with zeros."""
    first, second = (str(number) for number in arguments)
    width = max(len(first), len(second))
    digits = zip(first.zfill(width), second.zfill(width), strict=True)
    return out == expected or out == sum(abs(int(a) - int(b)) for a, b in digits)
