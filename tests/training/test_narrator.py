"""What a launcher prints of its ranks: nothing is silent for long, and steps speak for themselves."""

from __future__ import annotations

import pytest

from snowcoder.training.launch.watch import Narrator
from snowcoder.training.rank.pulse import Beat


def test_the_start_is_told_and_steps_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    narrator, told = Narrator(), []
    begun = narrator.since
    for second, place, step in [
        (1, "starting", None),
        (2, "building the model", None),
        (13, "building the model", None),
        (14, "building the model", None),
        (20, "step 8: forward and backward", 7),
        (31, "step 8: forward and backward", 7),
        (32, "step 8: update", 7),
        (33, "step 9: update", 8),
        (99, "step 9: update", 8),
        (100, "waiting for the save of step-00000009", None),
        (111, "waiting for the save of step-00000009", None),
        (112, "step 10: update", 9),
    ]:
        narrator.look(Beat(0.0, "host", place, step=step), begun + second)
        told.append(capsys.readouterr().out.strip())
    assert told == [
        "",
        "rank 0: building the model",
        "rank 0: building the model, for 11 s",
        "",
        "rank 0: step 8: forward and backward",
        "rank 0: step 8: forward and backward, for 11 s",
        "rank 0: step 8: update",
        "",
        "",
        "",
        "rank 0: waiting for the save of step-00000009, for 11 s",
        "",
    ]


def test_a_rank_that_was_never_heard_of_is_waited_for_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    narrator = Narrator()
    narrator.look(None, narrator.since + 9)
    narrator.look(None, narrator.since + 12)
    assert capsys.readouterr().out == "rank 0: starting, for 12 s\n"
