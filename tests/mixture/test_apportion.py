"""Seats add up and follow the shares; turns are those of a merge by ideal time."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcoder.mixture.apportion import apportion, turns_before

seats_of = st.lists(st.integers(0, 60), min_size=1, max_size=6).filter(any)


@pytest.mark.parametrize(
    ("total", "shares", "seats"),
    [
        (10, [0.5, 0.3, 0.2], [5, 3, 2]),
        (10, [0.33, 0.33, 0.34], [3, 3, 4]),
        (7, [0.5, 0.5], [4, 3]),
        (1, [0.2, 0.2, 0.6], [0, 0, 1]),
        (10, [0.1] * 10, [1] * 10),
        (5, [1.0, 0.0], [5, 0]),
        (100, [0.434, 0.283, 0.283], [44, 28, 28]),
    ],
)
def test_largest_remainder(total: int, shares: list[float], seats: list[int]) -> None:
    assert apportion(total, shares) == seats


@pytest.mark.parametrize("shares", [[0.3333334] * 3, [0.333333] * 3, [0.5, 0.4999991]])
def test_seats_add_up_where_shares_do_so_only_nearly(shares: list[float]) -> None:
    total = 61_035_008
    seats = apportion(total, shares)
    assert sum(seats) == total
    assert max(seats) - min(seats) < 100


@given(st.integers(1, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=6).filter(any))
def test_every_source_is_within_a_seat_of_its_quota(total: int, weights: list[int]) -> None:
    seats = apportion(total, [weight / sum(weights) for weight in weights])
    assert sum(seats) == total
    for weight, own in zip(weights, seats, strict=True):
        assert abs(own - total * Fraction(weight, sum(weights))) < 1 + 1e-3


def merge(seats: list[int]) -> list[int]:
    """Sources in the order of their turns, by sorting all turns."""
    turns = [(Fraction(2 * k + 1, 2 * n), s) for s, n in enumerate(seats) for k in range(n)]
    return [source for _, source in sorted(turns)]


@given(seats_of)
def test_turns_are_those_of_a_merge_by_ideal_time(seats: list[int]) -> None:
    order = merge(seats)
    for place in range(sum(seats) + 1):
        assert turns_before(place, seats) == [order[:place].count(s) for s in range(len(seats))]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6).filter(any), st.data())
def test_any_prefix_keeps_the_shares(seats: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, sum(seats)))
    counts = turns_before(place, seats)
    assert sum(counts) == place
    for own, count in zip(seats, counts, strict=True):
        assert 0 <= count <= own
        assert abs(count - Fraction(own * place, sum(seats))) <= 1 + len(seats) / 2
    if place < sum(seats):
        later = turns_before(place + 1, seats)
        assert sorted(b - a for a, b in zip(counts, later, strict=True)) == [0] * (len(seats) - 1) + [1]
