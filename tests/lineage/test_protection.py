"""No command overwrites what a run was trained with; what is up to date, or lost, is no obstacle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from snowcoder.cli import main
from snowcoder.config.compose import load_config
from snowcoder.lineage.manifest import find_manifest
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.tokenization.load import load_tokenizer
from snowcoder.training.checkpoints.checkpoint_record import sealed
from snowcoder.training.checkpoints.completion_record import RECORD, step_folder
from snowcoder.training.identity import describe_inputs
from tests.tiny import tiny_overrides

SHORT = [
    "index.held_out=0.1",
    "phases.phase1.learning_rate.warmup_steps=2",
    "phases.phase1.tokens=8192",
    "phases.phase2.tokens=8192",
    "phases.phase3.tokens=4096",
]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> list[str]:
    """Overrides of a run that has its tokenizer and index, a plan, and a checkpoint amid phase 1."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    for name in ("tokenizer", "index"):
        shutil.copytree(workspace / name, folder / name)
    words = tiny_overrides(folder, f"storage.root={workspace}/shards", "parallel=single", *SHORT)
    main(["plan", *words])
    config = load_config(words)
    record = {
        "step": 2,
        "files": [{"name": "part", "bytes": 4, "digest": "-"}],
        **describe_inputs(load_plan(folder / "plan"), 2, load_tokenizer(folder / "tokenizer").digest),
        **{name: getattr(config, name).model_dump() for name in ("model", "parallel", "precision")},
    }
    checkpoint = step_folder(folder / "train" / "checkpoints", 2)
    checkpoint.mkdir(parents=True)
    (checkpoint / "part").write_bytes(b"data")
    (checkpoint / RECORD).write_text(json.dumps(sealed(record)))
    return words


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("tokenizer train tokenizer.shards=${storage.root}/selected", "holds the tokenizer that the checkpoint"),
        ("index build raw index.part=1/2 index.max_document_mib=1", "raw holds the index that the checkpoint"),
        ("index build index.sources.raw.shards=${storage.root}/selected", "raw holds the index that the checkpoint"),
        ("plan run.seed=2", "was trained by another plan of phase1 (run.seed: 1234 -> 2)"),
        ("plan phases.phase1.global_batch=8", "phases.phase1.global_batch: 16 -> 8"),
        ("plan model.rope_theta=5e5", "is of another model: model.rope_theta: 10000.0 there, 500000.0 here"),
        ("plan model.vocab_size=600 tokenizer.vocab_size=600", "model.vocab_size=600: the tokenizer in"),
    ],
)
def test_what_a_checkpoint_rests_on_stays(
    words: list[str], capsys: pytest.CaptureFixture[str], command: str, said: str
) -> None:
    folder = Path(load_config(words).run.dir)
    before = contents(folder)
    verbs = [word for word in command.split() if "=" not in word]
    with pytest.raises(SystemExit, match="2"):
        main([*verbs, *words, *(word for word in command.split() if "=" in word)])
    assert said in capsys.readouterr().err
    assert contents(folder) == before


def test_a_plan_that_train_would_refuse_has_all_its_reasons(
    words: list[str], workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of tokenizer, index and checkpoint at once."""
    shutil.copytree(workspace / "tokenizer", tmp_path / "tokenizer")
    text = (tmp_path / "tokenizer" / "tokenizer.json").read_text()
    (tmp_path / "tokenizer" / "tokenizer.json").write_text(text + " ")
    with pytest.raises(SystemExit, match="2"):
        main(["plan", *words, f"tokenizer.dir={tmp_path}/tokenizer", "run.seed=3", "model.norm_eps=1e-6"])
    said = capsys.readouterr().err
    assert said.count("was made with another tokenizer") == 4
    assert "5. the checkpoint in" in said
    assert "6. the checkpoint at step 2 was trained with another tokenizer" in said
    assert "7. the checkpoint" in said
    assert "run.seed: 1234 -> 3" in said


def test_what_is_up_to_date_or_lost_is_no_obstacle(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["tokenizer", "train"], ["index", "build"], ["plan"]):
        main([*verb, *words])
    assert capsys.readouterr().out.count("is up to date") == 6
    config = load_config(words)
    raw = Path(config.index.dir) / "raw"
    before = contents(raw)
    next(raw.glob("train/*.bin")).unlink()
    main(["index", "build", *words])
    assert contents(raw) == before
    shutil.rmtree(config.plan.dir)
    main(["plan", *words])
    assert load_plan(Path(config.plan.dir)).indexes["raw"] == find_manifest(raw).digest  # type: ignore[union-attr]


def test_shards_that_were_touched_are_no_obstacle(
    words: list[str], workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor copied ones, or those that `corpus build` has made again; altered ones are."""
    shutil.copytree(workspace / "shards", tmp_path / "shards", copy_function=shutil.copyfile)
    copied = [*words, f"storage.root={tmp_path}/shards"]
    for verb in (["tokenizer", "train"], ["index", "build"]):
        main([*verb, *copied])
    assert capsys.readouterr().out.count("is up to date") == 5
    shard = next(path for path in (tmp_path / "shards" / "raw").iterdir() if path.name != "manifest.json")
    data = shard.read_bytes()
    shard.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    for verb in (["tokenizer", "train"], ["index", "build"]):
        with pytest.raises(SystemExit, match="2"):
            main([*verb, *copied])
        assert "that the checkpoint" in capsys.readouterr().err
    for verb in (["tokenizer", "train"], ["index", "build"]):  # for other tests, which look at this very folder
        main([*verb, *words])


def test_later_phases_may_be_planned_anew_and_without_their_files(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(words)
    lost = next(Path(config.index.dir).glob("synthetic_other/train/*.bin"))
    lost.rename(lost.with_suffix(".away"))
    main(["plan", *words, "phases.phase2.tokens=4096"])
    said = capsys.readouterr().out
    assert "Phases that use synthetic_other cannot be trained yet" in said
    assert "next: snowcoder train" not in said
    assert load_plan(Path(config.plan.dir)).phases[1].tokens == 4096
    main(["plan", *words, "phase=phase2"])
    assert "next: snowcoder train" in capsys.readouterr().out
    lost.with_suffix(".away").rename(lost)
    main(["plan", *words])


def test_a_tokenizer_takes_no_other_stages_place(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "hf"
    shutil.copytree(load_config(words).plan.dir, model)
    with pytest.raises(SystemExit, match="2"):
        main(["tokenizer", "train", *words, f"tokenizer.dir={model}"])
    assert "is what `snowcoder plan` made: set another tokenizer.dir" in capsys.readouterr().err
    assert (model / "manifest.json").exists()
