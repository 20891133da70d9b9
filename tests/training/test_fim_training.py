"""Training with fill-in-the-middle: padding is in no loss, and a run that is resumed or split sees the same."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from snowcoder.mixture.samples import Samples
from snowcoder.training.batches import micro_batches
from snowcoder.training.checkpoints.completion_record import step_folder
from tests.training.small_run import SmallRun

STEPS = 8
SETTINGS = ["fim=starcoder", "checkpoint.every_steps=4", "checkpoint.keep=9"]


@pytest.mark.parametrize("document_mask", [True, False])
def test_padding_is_in_no_loss(document_mask: bool) -> None:
    tokens = np.arange(4 * 9).reshape(4, 9)
    counted = np.random.default_rng(0).random((4, 8)) < 0.5
    samples = Samples(tokens, [np.array([0, 3, 8])] * 4, counted)
    masks = [batch.loss_mask.reshape(2, 8).numpy() for batch in micro_batches(samples, 2, document_mask)]
    wanted = counted.copy()
    if document_mask:
        wanted[:, [2, 7]] = False  # whose labels begin another document
    np.testing.assert_array_equal(np.concatenate(masks), wanted)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> SmallRun:
    run = SmallRun(tmp_path_factory.mktemp("straight"), workspace, "tp1", STEPS, *SETTINGS).plan()
    run.train()
    return run


def resumed(folder: Path, workspace: Path, straight: SmallRun, layout: str) -> SmallRun:
    """A run that goes on from the middle of `straight`."""
    run = SmallRun(folder, workspace, layout, STEPS, *SETTINGS).plan()
    shutil.copytree(step_folder(straight.checkpoints, 4), step_folder(run.checkpoints, 4))
    shutil.copy(straight.folder / "metrics.jsonl", run.folder / "metrics.jsonl")
    assert "resumed from" in run.train()
    return run


def test_a_resumed_run_has_the_same_losses(tmp_path: Path, workspace: Path, straight: SmallRun) -> None:
    assert len(straight.curve) == STEPS
    assert resumed(tmp_path, workspace, straight, "tp1").curve == straight.curve


@pytest.mark.slow
def test_two_ranks_have_the_same_losses(tmp_path: Path, workspace: Path, straight: SmallRun) -> None:
    """They have different numbers of padding, and the mean is over all tokens that count."""
    ours = np.array(resumed(tmp_path, workspace, straight, "dp2").curve)
    np.testing.assert_allclose(ours[:, 0], np.array(straight.curve)[:, 0], atol=1e-6)
