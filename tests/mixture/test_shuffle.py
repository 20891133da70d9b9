"""Permutations hit everything once, look random, and are the same for ever."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcoder.permutation import key_of, permute


@pytest.mark.parametrize("size", [*range(1, 70), 255, 256, 257, 1023, 4097, 65_537, 200_003])
def test_every_index_is_hit_once(size: int) -> None:
    image = permute(np.arange(size), size, key_of(7, "documents", size))
    assert (np.sort(image) == np.arange(size)).all()


@given(st.integers(1, 1 << 40), st.integers(0, (1 << 64) - 1), st.data())
def test_any_part_is_inside_and_equals_the_whole(size: int, key: int, data: st.DataObject) -> None:
    indices = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=20))
    image = permute(np.array(indices), size, key)
    assert image.min() >= 0
    assert image.max() < size
    one_by_one = [int(permute(np.array([index]), size, key)[0]) for index in indices]
    assert image.tolist() == one_by_one


def test_images_are_uniform_and_keys_independent() -> None:
    hits = np.zeros((10, 10))
    for seed in range(4000):
        hits[np.arange(10), permute(np.arange(10), 10, key_of(seed, "x"))] += 1
    # Each of 100 counts is 400 +- 19; five standard deviations.
    assert abs(hits - 400).max() < 95

    size = 10_000
    one, other = (permute(np.arange(size), size, key) for key in (5, 6))
    assert (one == other).sum() < 10
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.05


def test_keys_tell_seeds_and_words_apart() -> None:
    keys = {key_of(seed, *words) for seed in (0, 1) for words in [("a", "bc"), ("ab", "c"), ("a", 1)]}
    assert len(keys) == 6


def test_order_is_the_same_on_every_machine_and_version() -> None:
    key = key_of(1234, "documents", "raw", 0)
    assert permute(np.arange(10), 10, key).tolist() == [2, 1, 0, 3, 8, 5, 9, 6, 7, 4]
    assert permute(np.arange(3), 400_000_000, key).tolist() == [148685664, 144714662, 29201180]
