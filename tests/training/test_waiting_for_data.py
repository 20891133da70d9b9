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
    run.launch("tests.training.faults:train_with_slow_reader", "1")
    waited = [record["data_seconds"] for record in steps_of(run.folder)]
    assert max(waited[:2]) < 1 <= min(waited[2:])
    assert all(record["data_seconds"] < record["seconds"] for record in steps_of(run.folder))
    speed = read_records(str(run.folder)).speed
    assert speed is not None
    assert speed.data_share is not None
    assert speed.data_share > 0.5
