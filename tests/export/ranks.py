"""What ranks do for tests of export: each function is a task of `launch`."""

from pathlib import Path

from megatron.core import parallel_state

from snowcoder.config.compose import read_config
from snowcoder.config.layout import in_fp32, one_rank
from snowcoder.config.schema import Config
from snowcoder.export import convert, load, reference
from snowcoder.training import train_on_rank
from snowcoder.training.checkpoints.completion_record import step_folder
from snowcoder.training.rank.process_groups import divide_ranks


def save_and_answer(_: Config, *runs: str) -> None:
    """For each folder of a run: import its origin/ in the run's layout, then write reference/."""
    for run in map(Path, runs):
        config = read_config(run / "resolved.yaml")
        parallel_state.destroy_model_parallel()
        divide_ranks(config)
        load.run(config, str(run / "origin"))
        reference.run(in_fp32(config), _checkpoint(run), str(run / "reference"))


def convert_all(_: Config, *runs: str) -> None:
    """On one rank, for each folder of a run: write its checkpoint to exported/."""
    for run in map(Path, runs):
        config = one_rank(read_config(run / "resolved.yaml"))
        convert.run(config, _checkpoint(run), str(run / "exported"))


def train_all(_: Config, *runs: str) -> None:
    for run in runs:
        train_on_rank.train_on_rank(read_config(Path(run) / "resolved.yaml"))


def _checkpoint(run: Path) -> str:
    return str(step_folder(run / "train" / "checkpoints", 0))
