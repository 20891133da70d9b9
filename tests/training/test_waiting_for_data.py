"""A reader that is slow on one rank is seen in what the run tells of itself."""

from pathlib import Path

from small_run import SmallRun

from snowcoder.config.compose import load_config
from snowcoder.planning import plan
from snowcoder.report.records import read_records
from tests.tiny import steps_of


def test_a_slow_reader_of_another_rank_is_seen_as_waiting_for_data(tmp_path: Path, workspace: Path) -> None:
    run = SmallRun(tmp_path / "run", workspace, "dp2", 5)
    plan.run(load_config(run.overrides))
    run.launch("tests.training.faults:train_with_slow_reader", "3")
    records = steps_of(run.folder)
    waited = [record["data_seconds"] for record in records]
    # Steps 3 to 5 are read in 9 seconds, from the first step on: what these do meanwhile is all that is hidden.
    hidden = sum(record["seconds"] - record["data_seconds"] + record["rest_seconds"] for record in records)
    assert max(waited[:2]) < 3
    assert sum(waited) > 8.9 - hidden
    assert all(record["data_seconds"] < record["seconds"] for record in steps_of(run.folder))
    speed = read_records(str(run.folder)).speed
    assert speed is not None
    assert speed.data_share is not None
    assert speed.data_share > 0.5
