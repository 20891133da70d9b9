"""`snowcoder plan`: what it prints and writes, from indexes, from manifests alone, from nothing."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from snowcoder.errors import UserError
from snowcoder.lineage.manifest import Manifest, Output, find_manifest
from snowcoder.mixture.phase_plan import load_plan, make_plan
from snowcoder.mixture.samples import SampleReader
from snowcoder.planning import plan
from snowcoder.tokenization.load import load_tokenizer
from tests.mixture.small_plan import configure, open_plan, phase, write_index
from tests.tiny import snowcoder, tiny_overrides

PHASES = {
    "phase1": phase(20, 4, 16, raw=(1.0, 3)),
    "phase2": phase(5, 4, 16, raw=(0.5, 3), best=(0.5, 3)),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_index(tmp_path / "index" / "raw", [30, 200, 7, 401, 40], (9, 9))
    write_index(tmp_path / "index" / "best", [60, 50, 90])
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_written_is_the_plan_and_a_table_for_each_epoch(folder: Path) -> None:
    config = configure(folder, **PHASES)
    reader = open_plan(config)
    assert reader.plan == make_plan(config, plan.source_sizes(config))
    assert set(contents(folder / "plan")) == {
        "plan.json",
        "manifest.json",
        "raw.epoch0.starts.npy",
        "raw.epoch1.starts.npy",
        "raw.epoch2.starts.npy",
        "raw.held_out.epoch0.starts.npy",
        "best.epoch0.starts.npy",
    }
    manifest = find_manifest(folder / "plan")
    assert manifest is not None
    assert manifest.check_files(folder / "plan", digests=True) == []
    raw = find_manifest(folder / "index" / "raw")
    assert raw is not None
    assert manifest.inputs["raw"] == raw.digest


def test_a_second_run_does_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configure(folder, **PHASES)
    plan.run(config)
    before = {path: path.stat().st_mtime_ns for path in (folder / "plan").iterdir()}
    plan.run(config)
    assert "is up to date" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (folder / "plan").iterdir()} == before


def test_while_a_plan_is_replaced_the_old_one_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of a new seed under the old plan.json would be read as other documents, and quietly."""
    plan.run(configure(folder, **PHASES))

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "write_json", kill)
    with pytest.raises(KeyboardInterrupt):
        plan.run(configure(folder, seed=2, **PHASES))
    with pytest.raises(UserError, match="run `snowcoder plan` first"):
        load_plan(folder / "plan")


def test_what_an_earlier_plan_or_a_kill_left_is_replaced(folder: Path) -> None:
    plan.run(configure(folder, **PHASES))
    wanted = contents(folder / "plan")
    longer = {**PHASES, "phase2": phase(60, 4, 16, raw=(0.5, 9), best=(0.5, 20))}
    plan.run(configure(folder, **longer))
    assert set(contents(folder / "plan")) > set(wanted)
    (folder / "plan" / "raw.epoch0.starts.npy").write_bytes(b"cut short")
    (folder / "plan" / "manifest.json").unlink()
    plan.run(configure(folder, **PHASES))
    assert contents(folder / "plan") == wanted


def test_a_damaged_plan_is_made_again(folder: Path) -> None:
    config = configure(folder, **PHASES)
    plan.run(config)
    wanted = contents(folder / "plan")
    (folder / "plan" / "best.epoch0.starts.npy").unlink()
    plan.run(config)
    assert contents(folder / "plan") == wanted


def test_a_plan_is_only_read_as_its_manifest_vouches_for_it(folder: Path) -> None:
    with pytest.raises(UserError, match="run `snowcoder plan` first"):
        load_plan(folder / "plan")
    plan.run(configure(folder, **PHASES))
    path = folder / "plan" / "plan.json"
    raw = json.loads(path.read_text())
    raw["phases"][0]["steps"] += 1
    path.write_text(json.dumps(raw))
    with pytest.raises(UserError, match="was changed after it was written"):
        load_plan(folder / "plan")
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        load_plan(folder / "plan")


def test_tables_are_written_in_chunks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configure(folder, **PHASES)
    plan.run(config)
    whole = contents(folder / "plan")
    (folder / "plan" / "manifest.json").unlink()
    monkeypatch.setattr("snowcoder.mixture.stream._CHUNK", 2)
    plan.run(config)
    assert contents(folder / "plan") == whole
    table = np.load(folder / "plan" / "raw.epoch1.starts.npy")
    assert sorted(np.diff([*table, 678]).tolist()) == [7, 30, 40, 200, 401]


def test_sources_without_a_size_are_all_named(folder: Path) -> None:
    write_index(folder / "index" / "empty", [], (5,))
    config = configure(folder, phase1=phase(1, 4, 16, none=(0.5, 1), raw=(0.3, 1), empty=(0.2, 1)))
    with pytest.raises(UserError) as error:
        plan.run(config)
    assert "none: run `snowcoder index build`" in str(error.value)
    assert "empty: its index has no tokens" in str(error.value)
    assert "raw" not in str(error.value)


def test_an_index_whose_files_are_elsewhere_gives_a_plan_that_is_not_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    next((folder / "index" / "raw" / "train").glob("*.bin")).unlink()
    plan.run(configure(folder, **PHASES))
    out = capsys.readouterr().out
    assert "phase2: 5 steps" in out
    assert "not written, for the index of raw is not here" in out
    assert not (folder / "plan").exists()


def test_a_later_phase_may_be_planned_before_its_source_is_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(folder, **PHASES)
    plan.run(config)
    whole = load_plan(folder / "plan")
    (folder / "index" / "best").rename(folder / "elsewhere")
    later = {"planned_tokens": 5000, "selection_of": "raw"}
    config.index.sources["best"] = config.index.sources["best"].model_copy(update=later)
    plan.run(config)
    early = load_plan(folder / "plan")
    assert "Phases that use best cannot be trained yet: run `snowcoder annotate select`" in capsys.readouterr().out
    assert early.phases[0] == whole.phases[0]
    assert early.phases[1].digest != whole.phases[1].digest
    assert not list((folder / "plan").glob("best.*"))
    (folder / "elsewhere").rename(folder / "index" / "best")
    plan.run(config)
    assert load_plan(folder / "plan") == whole


def big_manifest(folder: Path, tokens: int, shards: int) -> None:
    """The manifest of an index as large as the paper's, without its files."""
    split = {"documents": tokens // shards // 1000, "tokens": tokens // shards}
    names = [f"shard-{n:05d}" for n in range(shards)]
    counts = {
        "train": {key: value * shards for key, value in split.items()},
        "held_out": {"documents": 0, "tokens": 0},
        "shards": [{"name": name, "train": split} for name in names],
    }
    files = [f"train/{name}{suffix}" for name in names for suffix in (".bin", ".idx")]
    outputs = [Output(name, 10**9, "0" * 32) for name in files]
    folder.mkdir(parents=True)
    Manifest("index", {}, {}, counts, outputs).write(folder)


# VmHWM and not ru_maxrss, which a child takes over from the process that started it.
MEASURED = """
import sys
from pathlib import Path
from snowcoder.cli import main
main(sys.argv[1:])
status = Path("/proc/self/status").read_text()
print("peak MiB", int(status.split("VmHWM:")[1].split()[0]) >> 10)
"""


def test_the_papers_run_is_planned_from_manifests_alone(tmp_path: Path) -> None:
    for name, tokens in {"raw": 400e9, "selected": 12.5e9, "synthetic_python": 1e9}.items():
        big_manifest(tmp_path / "index" / name, int(tokens), 4000 if name == "raw" else 100)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "plan", "recipe=arctic", f"run.dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=True,
    )
    for words in ("119,209 steps", "11,921 steps", "1,192 steps", "1,364,297,728 parameters"):
        assert words in done.stdout
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert lines["raw"].split()[-2:] == ["1.25", "1.25"]
    assert lines["selected"].split()[-2:] == ["4.00", "4.00"]
    assert "2.50  (size as planned, not indexed yet)" in lines["synthetic_other"]
    assert "is not here" in done.stdout
    assert int(done.stdout.split()[-1]) < 400


def test_nothing_at_all_is_enough_to_print_the_recipe(tmp_path: Path) -> None:
    out = snowcoder("plan", "phase=phase2", "recipe=arctic", f"run.dir={tmp_path}").stdout
    assert out.count("(size as planned, not indexed yet)") == 4
    assert not (tmp_path / "plan").exists()


def test_samples_of_a_real_index_are_its_text(workspace: Path, tmp_path: Path) -> None:
    """From packed files to a batch, by the command itself."""
    budgets = ["phases.phase1.tokens=16384", "phases.phase2.tokens=8192", "phases.phase3.tokens=4096"]
    overrides = tiny_overrides(workspace, f"plan.dir={tmp_path / 'plan'}", *budgets)
    assert "is written" in snowcoder("plan", *overrides).stdout
    plan = load_plan(tmp_path / "plan")
    assert [source.name for source in plan.phases[0].sources] == ["raw"]
    reader = SampleReader(plan, tmp_path / "plan", workspace / "index")
    tokenizer = load_tokenizer(workspace / "tokenizer")
    files = [path.read_text() for path in (workspace / "repositories" / "raw").iterdir()]
    samples = reader.batch(0, range(plan.phases[0].global_batch))
    assert sum(map(len, samples.starts)) > len(samples.starts)
    for row, starts in zip(samples.tokens, samples.starts, strict=True):
        pieces = np.split(row, starts[1:])
        assert all(piece[-1] == tokenizer.end_of_text for piece in pieces[:-1])
        for piece in pieces:
            text = tokenizer.decode(piece[piece != tokenizer.end_of_text].tolist())
            assert any(text in file for file in files)
