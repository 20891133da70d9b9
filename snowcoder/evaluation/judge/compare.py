"""When two outputs count as equal, by evalplus 0.3.1 and by evoeval 0.1.0.

numpy is imported only where plain numbers do not do: its import takes longer than most programs.
"""

import math

EXACT = 1 << 53  # integers below are exact as floats


def evalplus_equal(out, expected, tolerance):
    exact = out == expected
    if tolerance == 0 and is_floats(expected):
        tolerance = 1e-6
    if exact or tolerance == 0:
        return bool(exact)
    if type(out) is not type(expected) or (isinstance(expected, (list, tuple)) and len(out) != len(expected)):
        return False
    return all_close(out, expected, 1e-7, tolerance, False)


def is_floats(value):
    """evalplus's and evoeval's notion; an empty list is one for evoeval, which makes no difference."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(each, float) for each in value)
    return isinstance(value, float) or str(getattr(value, "dtype", "")) in ("float64", "float32")


def all_close(out, expected, relative, absolute, equal_nan):
    """numpy.allclose."""
    pairs = [(out, expected)] if not isinstance(expected, (list, tuple)) else list(zip(out, expected, strict=True))
    if all(is_plain(a) and is_plain(b) for a, b in pairs):
        return all(is_close(a, b, relative, absolute, equal_nan) for a, b in pairs)
    import numpy

    return bool(numpy.allclose(out, expected, rtol=relative, atol=absolute, equal_nan=equal_nan))


def is_plain(value):
    return type(value) in (float, bool) or (type(value) is int and abs(value) < EXACT)


def is_close(a, b, relative, absolute, equal_nan):
    if math.isfinite(a) and math.isfinite(b):
        return abs(a - b) <= absolute + relative * abs(b)
    return a == b or (equal_nan and a != a and b != b)


def evoeval_equal(out, expected, tolerance):
    """The types that evoeval tells apart must be the same, all the way down."""
    kind = evoeval_kind(expected)
    if kind != evoeval_kind(out):
        return False
    if kind == "floats":
        if isinstance(expected, (list, tuple)) and len(out) != len(expected):
            return False
        return all_close(out, expected, 1e-5, 1e-6, True)
    if kind in (list, tuple):
        return len(out) == len(expected) and all(map(evoeval_equal, out, expected, [tolerance] * len(out)))
    if kind is dict:
        return len(out) == len(expected) and all(
            key in out and evoeval_equal(out[key], value, tolerance) for key, value in expected.items()
        )
    return bool(out == expected)


def evoeval_kind(value):
    if value is None or isinstance(value, bool):
        return type(value)
    for kind in (int, str):
        if isinstance(value, kind):
            return kind
    if is_floats(value) or (isinstance(value, (list, tuple)) and not value):
        return "floats"
    return next((kind for kind in (tuple, list, dict, set, type) if isinstance(value, kind)), object)
