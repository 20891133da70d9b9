"""Which rank is the outlier, from what was measured of all: by each test, by the product itself, by the clock."""

from __future__ import annotations

from typing import Any

import pytest

from snowcoder.training.rank.node_check import find_outliers

FACTOR = 3


def ranks(**wrong: Any) -> list[dict[str, Any]]:
    """Four, of which the third measured `wrong`."""
    well = [
        {"host": f"node{n}", "matrix product": 0.021, "link": 0.01, "disk": 0.3, "sum": 7.5, "clock": 1e9}
        for n in range(4)
    ]
    well[2] |= {name.replace("_", " "): value for name, value in wrong.items()}
    return well


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"matrix_product": 0.21}, "rank 2 on node2: matrix product takes 210.0 ms, 10.0 times the median"),
        ({"link": 0.5}, "rank 2 on node2: link takes 500.0 ms, 50.0 times the median"),
        ({"disk": 1.2}, "rank 2 on node2: disk takes 1200.0 ms, 4.0 times the median"),
        ({"sum": 7.25}, "rank 2 on node2: computes another matrix product than most"),
        ({"clock": 1e9 - 60}, "rank 2 on node2: its clock is -60 s off"),
    ],
    ids=["matrix product", "link", "disk", "wrong product", "clock"],
)
def test_an_outlier_is_named_and_nobody_else(wrong: dict[str, Any], told: str) -> None:
    assert find_outliers(ranks(**wrong), FACTOR) == {2: told}


def test_ranks_that_differ_a_little_are_well() -> None:
    assert find_outliers(ranks(), FACTOR) == {}
    assert find_outliers(ranks(matrix_product=0.06, link=0.02, disk=0.8, clock=1e9 + 4), FACTOR) == {}


def test_what_takes_no_time_says_nothing_of_the_node() -> None:
    quick = [{**rank, "link": 1e-5} for rank in ranks()]
    quick[1]["link"] = 0.01  # a thousand times the others, and still nothing
    assert find_outliers(quick, FACTOR) == {}


def test_of_two_ranks_the_slower_one_is_named() -> None:
    two = ranks()[:2]
    two[1]["disk"] = 30.0
    assert list(find_outliers(two, FACTOR)) == [1]
