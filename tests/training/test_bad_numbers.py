"""Numbers that are not finite, and losses that jump: no weight sees them, and every resume decides the same."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snowcoder.config.compose import load_config
from snowcoder.errors import OperationError
from snowcoder.index.format import token_dtype
from snowcoder.lineage.manifest import find_manifest
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.mixture.samples import SampleReader
from snowcoder.storage.digest import digest_file
from snowcoder.training.events import read_events
from snowcoder.training.train import launch
from tests.tiny import LAYOUTS, curve, kill_after_step, snowcoder, steps_of, tiny_overrides

# 30 steps of one phase, long enough for a level to spike from.
LONG = [
    "phases.phase1.tokens=15360",
    "phases.phase1.global_batch=8",
    "phases.phase1.learning_rate.warmup_steps=4",
    "phases.phase1.sources.raw.max_epochs=9",
    "phases.phase2.sources.raw.max_epochs=9",
    "checkpoint.every_steps=5",
    "guard.window=8",
    "guard.sigma=5",
    "guard.skip_steps=2",
    "phases.phase2.tokens=2048",
    "phases.phase2.global_batch=8",
    "phases.phase2.learning_rate.warmup_steps=2",
    "phases.phase3.tokens=2048",
    "phases.phase3.global_batch=8",
    "phase=phase1",
]


def overrides_of(folder: Path, workspace: Path, layout: str, *more: str) -> list[str]:
    shared = [f"tokenizer.dir={workspace}/tokenizer", f"index.dir={workspace}/index", "index.held_out=0.1"]
    return tiny_overrides(folder, *shared, *LONG, *LAYOUTS[layout], *more)


def skips_of(folder: Path) -> list[tuple[int, int]]:
    return [(skip["first"], skip["last"]) for skip in json.loads((folder / "train" / "skips.json").read_text())]


def kinds_of(folder: Path) -> list[str]:
    return [event.kind for event in read_events(folder)]


def train_with(skips: Path, folder: Path, workspace: Path, layout: str, *more: str) -> list[tuple[float, float]]:
    """The curve of an undisturbed run that begins with another one's decisions."""
    overrides = overrides_of(folder, workspace, layout, *more)
    snowcoder("plan", *overrides)
    (folder / "train").mkdir()
    shutil.copy(skips / "train" / "skips.json", folder / "train")
    snowcoder("train", *overrides)
    return curve(folder)


@pytest.mark.parametrize("layout", ["dp2overlap", pytest.param("tp2sp", marks=pytest.mark.slow)])
def test_one_ranks_nan_is_skipped_by_all_and_reaches_no_weight(tmp_path: Path, workspace: Path, layout: str) -> None:
    overrides = overrides_of(tmp_path / "nan", workspace, layout)
    snowcoder("plan", *overrides)
    launch("tests.training.faults:train_with_nan", load_config(overrides), "resolved.yaml", "6", "11")
    assert skips_of(tmp_path / "nan") == [(6, 7), (11, 12)]
    skipped = [event for event in read_events(tmp_path / "nan") if event.kind == "skipped"]
    assert [event.step for event in skipped] == [7, 12]
    assert all("not finite: loss" in event.text for event in skipped)
    assert [record["step"] for record in steps_of(tmp_path / "nan")] == [n for n in range(1, 31) if n not in (7, 12)]
    assert curve(tmp_path / "nan") == train_with(tmp_path / "nan", tmp_path / "clean", workspace, layout)


def test_a_nan_that_only_the_last_rank_sees_is_skipped_by_all(tmp_path: Path, workspace: Path) -> None:
    """gloo's MAX and MIN of floats lose a NaN of any rank but the first: what ranks know is gathered."""
    overrides = overrides_of(tmp_path, workspace, "dp2")
    snowcoder("plan", *overrides)
    launch("tests.training.faults:train_with_nan_of_one_rank", load_config(overrides), "resolved.yaml", "6")
    assert skips_of(tmp_path) == [(6, 7)]
    assert [record["step"] for record in steps_of(tmp_path)] == [n for n in range(1, 31) if n != 7]


def test_several_skips_send_the_run_back(tmp_path: Path, workspace: Path) -> None:
    overrides = overrides_of(tmp_path, workspace, "tp1", "guard.max_skips=3")
    snowcoder("plan", *overrides)
    launch("tests.training.faults:train_with_nan", load_config(overrides), "resolved.yaml", "11", "13", "14")
    assert (11, 15) in skips_of(tmp_path)
    assert [record["step"] for record in steps_of(tmp_path)] == [n for n in range(1, 31) if not 12 <= n <= 15]
    (event,) = [event for event in read_events(tmp_path) if event.kind == "rolled-back"]
    assert "3 steps skipped among the last 8" in event.text
    assert "went back to step 10; steps 12 to 15 are skipped" in event.text


@pytest.fixture(scope="session")
def bad_shard(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """The session's workspace, with noise where the samples of step 22 are: text of another kind, not damaged bytes."""
    folder = tmp_path_factory.mktemp("bad-shard")
    for name in ("tokenizer", "index"):
        shutil.copytree(workspace / name, folder / name)
    overrides = overrides_of(folder / "run", folder, "tp1")
    snowcoder("plan", *overrides)
    config = load_config(overrides)
    reader = SampleReader(load_plan(Path(config.plan.dir)), Path(config.plan.dir), Path(config.index.dir))
    samples = reader.batch(21, range(8))
    (path,) = (folder / "index" / "raw" / "train").glob("**/*.bin")
    tokens = np.fromfile(path, token_dtype(500))
    noise = np.random.default_rng(0)
    for row, starts in zip(samples.tokens, samples.starts, strict=True):
        for piece in np.split(row, starts[1:]):
            put_noise(tokens, piece, noise)
    tokens.tofile(path)
    vouch_for(path, folder / "index" / "raw")
    return folder


def put_noise(tokens: np.ndarray, piece: np.ndarray, noise: np.random.Generator) -> None:
    """Overwrite `piece`, wherever in `tokens` it is."""
    (found,) = np.nonzero((np.lib.stride_tricks.sliding_window_view(tokens, len(piece)) == piece).all(axis=1))
    for at in found:
        tokens[at : at + len(piece)] = noise.integers(0, 500, len(piece))


def vouch_for(path: Path, source: Path) -> None:
    """Let the manifest say of a changed file that it is right."""
    manifest = find_manifest(source)
    assert manifest
    outputs = [replace(o, digest=digest_file(path)) if path.match(o.name) else o for o in manifest.outputs]
    replace(manifest, outputs=outputs).write(source)


@pytest.mark.slow
def test_a_bad_shard_sends_the_run_back_and_every_resume_decides_the_same(
    tmp_path: Path, workspace: Path, bad_shard: Path
) -> None:
    overrides = overrides_of(tmp_path / "bad", bad_shard, "tp2sp")
    snowcoder("plan", *overrides)
    kill_after_step(26, tmp_path / "bad", "train", *overrides)
    assert skips_of(tmp_path / "bad") == [(20, 22)]
    (event,) = [event for event in read_events(tmp_path / "bad") if event.kind == "rolled-back"]
    assert "loss spike at step 22" in event.text
    assert "went back to step 20; steps 21 to 22 are skipped" in event.text
    before = curve(tmp_path / "bad")[:20]
    for later in (tmp_path / "bad" / "train" / "checkpoints").glob("step-000000[23]*"):
        shutil.rmtree(later)  # the resume goes through the window again
    snowcoder("train", *overrides)
    assert kinds_of(tmp_path / "bad").count("rolled-back") == 1
    assert curve(tmp_path / "bad")[:20] == before
    assert curve(tmp_path / "bad") == train_with(tmp_path / "bad", tmp_path / "clean", bad_shard, "tp2sp")


def test_a_run_that_spikes_again_and_again_gives_up(
    tmp_path: Path, workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # One step is passed over at a time: the next ones are noise, too, and spike as it did.
    overrides = overrides_of(tmp_path, workspace, "tp1", "guard.skip_steps=1", "checkpoint.every_steps=20")
    snowcoder("plan", *overrides)
    with pytest.raises(OperationError):
        launch("tests.training.faults:train_with_noise", load_config(overrides), "resolved.yaml", "21")
    assert skips_of(tmp_path) == [(21, 22), (22, 23), (23, 24)]
    assert "went back to step 20 3 times already, and still does not train" in capfd.readouterr().err


def test_an_unreadable_ledger_is_an_error_that_says_what_to_do(tmp_path: Path, workspace: Path) -> None:
    overrides = overrides_of(tmp_path, workspace, "tp1")
    snowcoder("plan", *overrides)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "skips.json").write_text("[{")
    done = snowcoder("train", *overrides, check=False)
    assert done.returncode == 1
    assert "skips.json cannot be read" in done.stderr
    assert "restore it from a copy, or remove it" in done.stderr
