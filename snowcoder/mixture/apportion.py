"""How many samples each source gives to a phase, and in which order they take turns."""

from __future__ import annotations

from fractions import Fraction


def apportion(total: int, shares: list[float]) -> list[int]:
    """Split `total` seats in proportion to `shares`: largest remainder, ties to the first.

    The seats always add up to `total`, also where the shares add up to 1 only nearly.
    """
    weights = [Fraction(str(share)) for share in shares]
    exact = [weight * total / sum(weights) for weight in weights]
    seats = [int(quota) for quota in exact]
    by_remainder = sorted(range(len(shares)), key=lambda n: seats[n] - exact[n])
    for n in by_remainder[: total - sum(seats)]:
        seats[n] += 1
    return seats


def turns_before(place: int, seats: list[int]) -> list[int]:
    """How many of the first `place` turns each source has had.

    Turn k of a source with n seats has its ideal time at (2k + 1) / 2n; turns follow their times,
    ties in the order of sources. So every source is at any time within a few turns of its share,
    and no table is needed.
    """
    total = sum(seats)
    # All turns before time place/total: too many or too few by less than the number of sources.
    counts = [max(0, -((total - 2 * n * place) // (2 * total))) for n in seats]
    while sum(counts) < place:
        waiting = [k for k, n in enumerate(seats) if counts[k] < n]
        counts[min(waiting, key=lambda k: (_time(counts[k], seats[k]), k))] += 1
    while sum(counts) > place:
        served = [k for k, count in enumerate(counts) if count]
        counts[max(served, key=lambda k: (_time(counts[k] - 1, seats[k]), k))] -= 1
    return counts


def _time(turn: int, seats: int) -> Fraction:
    return Fraction(2 * turn + 1, 2 * seats)
