"""How many samples each source gives to a phase, and in which order they take turns."""

from __future__ import annotations

from fractions import Fraction


def apportion(total: int, shares: list[float]) -> list[int]:
    """Split `total` seats by `shares` (which add up to 1): largest remainder, ties to the earlier source."""
    exact = [Fraction(share) * total for share in shares]
    seats = [int(quota) for quota in exact]
    by_remainder = sorted(range(len(shares)), key=lambda n: seats[n] - exact[n])
    for n in by_remainder[: total - sum(seats)]:
        seats[n] += 1
    return seats


def turns_before(place: int, seats: list[int]) -> list[int]:
    """How many of the first `place` turns each source has had.

    Turn k of a source with n seats has its ideal time at (2k + 1) / 2n; turns follow their times, ties in the order of
    sources. So every source is at any time within a few turns of its share, and no table is needed.
    """
    total = sum(seats)
    # All turns before time place/total: too many or too few by less than the number of sources.
    counts = [max(0, -((total - 2 * n * place) // (2 * total))) for n in seats]
    while sum(counts) < place:
        counts[min((_time(count, n), k) for k, (count, n) in enumerate(zip(counts, seats, strict=True)) if count < n)[1]] += 1
    while sum(counts) > place:
        counts[max((_time(count - 1, n), k) for k, (count, n) in enumerate(zip(counts, seats, strict=True)) if count)[1]] -= 1
    return counts


def _time(turn: int, seats: int) -> Fraction:
    return Fraction(2 * turn + 1, 2 * seats)
