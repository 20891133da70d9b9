"""The cut of a ranking against a sort of all files in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from snowcoder.annotation.threshold import Ranked, find_thresholds

# A few values, so that many files have the threshold's; and any float32, so that bits matter.
SCORES = st.one_of(
    st.sampled_from([0.0, 1e-38, 0.25, 0.5, float(np.nextafter(np.float32(0.5), np.float32(1))), 1.0, 5.0]),
    st.floats(0, 5, width=32),
)
FILES = st.lists(st.tuples(st.sampled_from("ab"), SCORES, st.integers(1, 50)), max_size=25)


def by_sorting(shards: list[list[Any]], language: str, budget: int) -> set[tuple[int, int]]:
    """The places of the best files, until they have the budget of tokens."""
    files = [
        (-score, shard, row, tokens)
        for shard, rows in enumerate(shards)
        for row, (name, score, tokens) in enumerate(rows)
        if name == language
    ]
    taken, have = set(), 0
    for _, shard, row, tokens in sorted(files):
        if have >= budget:
            break
        taken.add((shard, row))
        have += tokens
    return taken


@settings(deadline=None, max_examples=300)
@given(st.lists(FILES, min_size=1, max_size=4), st.integers(0, 700), st.integers(0, 700))
def test_takes_the_files_that_a_sort_would(shards: list[list[Any]], one: int, two: int) -> None:
    ranked = [
        Ranked(
            number,
            language,
            np.array([row for row, file in enumerate(rows) if file[0] == language], int),
            np.array([file[1] for file in rows if file[0] == language], np.float32),
            np.array([file[2] for file in rows if file[0] == language], np.int32),
        )
        for number, rows in enumerate(shards)
        for language in "ab"
    ]
    budgets = {"a": one, "b": two}
    thresholds = find_thresholds(lambda: ranked, budgets)
    for language, budget in budgets.items():
        mine = [files for files in ranked if files.language == language]
        found = {
            (files.shard, int(row))
            for files in mine
            if language in thresholds
            for row in files.rows[thresholds[language].takes(files)]
        }
        assert found == by_sorting(shards, language, budget)
