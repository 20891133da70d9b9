"""Numbers as a person reads them: none is rounded to nothing."""

import pytest

from snowcoder import readable


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1,023 B"),
        (1024, "1.00 KiB"),
        (12_600, "12.3 KiB"),
        (5 * 2**20, "5.00 MiB"),
        (99.96 * 2**20, "100 MiB"),
        (2**30 - 1, "1.00 GiB"),
        (17.25 * 2**30, "17.2 GiB"),
        (800e9, "745 GiB"),
        (3e15, "2.66 PiB"),
        (3e18, "2,665 PiB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    assert readable.size(count) == text


def test_rates() -> None:
    assert readable.rate(30_100.4, "tokens") == "30,100 tokens/s"
    assert readable.rate(0.0417, "files") == "0.042 files/s"
    assert readable.rate(12.34, "files") == "12 files/s"
    assert readable.rate(0, "files") == "0 files/s"
    assert readable.rate(None, "tokens") == "? tokens/s"
    assert readable.flops(2.01e10) == "20.1 GFLOP/s"
    assert readable.flops(3.92e14) == "392 TFLOP/s"


def test_counts() -> None:
    assert readable.counts({}) == "nothing"
    assert readable.counts({"C": 1200, "": 2}) == "C 1,200, ? 2"
    assert readable.counts({"C": 3, "Go": 2, "D": 1, "R": 1}, most=2) == "C 3, Go 2, 2 more kinds"
