"""`snowcoder import`, `train` and `export` as a user runs them, one after another."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import save_file
from transformers import AutoConfig, AutoTokenizer

import snowcoder.demo.complete
from snowcoder.cli import main
from snowcoder.config.compose import load_config, to_yaml
from snowcoder.config.schema import Config
from snowcoder.errors import OperationError, UserError
from snowcoder.export import export, llama_config
from snowcoder.export.card import write_card
from snowcoder.export.parity import TOLERANCE, ParityReport, PromptParity, check_tokenizer
from snowcoder.lineage.manifest import find_manifest
from snowcoder.mixture.phase_plan import load_plan
from snowcoder.model.initialize import initial_tensor
from snowcoder.model.mapping import EMBEDDING, HEAD
from snowcoder.pretrained.tensors import Tensors
from snowcoder.tokenization.load import load_tokenizer
from snowcoder.training.checkpoints.completion_record import read_record, step_folder
from snowcoder.training.identity import find_changes, recorded_inputs
from snowcoder.training.train import launch
from tests.export.conftest import write_origin
from tests.tiny import LAYOUTS, curve, tiny_overrides

STEPS = 4
Words = list[str]


@pytest.fixture(scope="session")
def overrides(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> dict[str, Words]:
    """Two runs of a few steps: `imported` began from the weights that `drawn` drew itself."""
    shared = [
        *(f"{stage}.dir={workspace}/{stage}" for stage in ("tokenizer", "index")),
        *(f"phases.phase{n}.tokens={STEPS * 8 * 64}" for n in (1, 2, 3)),
        *(f"phases.phase{n}.global_batch=8" for n in (1, 2, 3)),
        *("index.held_out=0.1", "precision=bf16", *LAYOUTS["tp1"]),
        *("phases.phase1.learning_rate.warmup_steps=1", "phase=phase1"),
    ]
    folders = {name: tmp_path_factory.mktemp(name) for name in ("imported", "drawn")}
    words = {name: tiny_overrides(folder, *shared) for name, folder in folders.items()}
    words["imported"].append("model.init_std=0.5")  # what it would draw itself is something else
    origin = write_drawn(folders["imported"] / "origin", load_config(words["drawn"]))
    main(["import", str(origin), *words["imported"]])
    for name, folder in folders.items():
        main(["plan", *words[name]])
        (folder / "resolved.yaml").write_text(to_yaml(load_config(words[name])))
    paths = map(str, folders.values())
    launch("tests.export.ranks:train_all", load_config(words["drawn"]), "ranks.yaml", *paths)
    return words


def write_drawn(folder: Path, config: Config) -> Path:
    """The initial weights of a run as a Hugging Face folder, with the tied matrix under the head's name alone."""
    write_origin(folder, config)
    with Tensors(folder) as tensors:
        weights = {name: initial_tensor(name, config.model, config.run.seed).bfloat16() for name in tensors.names}
    weights[HEAD] = weights.pop(EMBEDDING)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture(scope="session")
def words(overrides: dict[str, Words]) -> Words:
    """Overrides of the imported run."""
    return overrides["imported"]


@pytest.fixture(scope="session")
def exported(words: Words) -> Path:
    main(["export", *words])
    return Path(load_config(words).export.dir)


def test_imported_weights_train_as_drawn_ones(overrides: dict[str, Words]) -> None:
    runs = {name: Path(load_config(words).run.dir) for name, words in overrides.items()}
    assert len(curve(runs["imported"])) == STEPS
    assert curve(runs["imported"]) == curve(runs["drawn"])


def test_the_folder_is_a_llama_with_our_tokenizer(exported: Path, tiny_tokenizer: Path) -> None:
    config = AutoConfig.from_pretrained(exported)
    tokenizer = AutoTokenizer.from_pretrained(exported)
    assert config.vocab_size == len(tokenizer) == 500
    assert config.dtype == torch.bfloat16
    assert config.eos_token_id == tokenizer.convert_tokens_to_ids("<|endoftext|>")
    assert config.pad_token_id == tokenizer.convert_tokens_to_ids("<|fim_pad|>")
    ours = load_tokenizer(tiny_tokenizer)
    assert tokenizer("x = 12")["input_ids"] == ours.encode("x = 12")
    # For transformers before 5.
    assert json.loads((exported / "config.json").read_text())["rope_theta"] == 10000.0


def test_everybody_may_read_the_folder(exported: Path) -> None:
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in exported.iterdir())


def test_the_manifest_vouches_for_each_file_and_leads_back(exported: Path, words: Words, tiny_tokenizer: Path) -> None:
    manifest = find_manifest(exported)
    assert manifest is not None
    assert manifest.check_files(exported, digests=True) == []
    names = {path.name for path in exported.iterdir()} - {"manifest.json"}
    assert {output.name for output in manifest.outputs} == names
    config = load_config(words)
    checkpoint = step_folder(Path(config.run.dir) / "train" / "checkpoints", 0)
    plan = load_plan(Path(config.plan.dir))
    assert manifest.counts["step"] == STEPS
    assert manifest.inputs["imported"] == read_record(checkpoint).imported
    assert manifest.inputs["plan"] == plan.digest
    for source in plan.phases[0].sources:
        assert manifest.inputs[f"index {source.name}"] == source.index
    assert manifest.inputs["tokenizer"] == load_tokenizer(tiny_tokenizer).digest
    assert manifest.counts["parity"].keys() == {"1", "2", "7", "32", "64"}
    assert 0 < manifest.counts["text_parity"] <= TOLERANCE
    card = (exported / "README.md").read_text()
    assert all(digest in card for digest in manifest.inputs.values())
    assert f"| phase1 | raw | {STEPS * 8 * 64:,} | 100.0% |" in card
    assert "| a text (64) |" in card
    raw = find_manifest(Path(config.index.dir) / "raw")
    assert raw is not None
    assert re.search(rf"\| raw \| .+ \| \d+ \| {raw.counts['train']['tokens']:,} \| Python \d+\.\d%", card)


def test_the_card_is_one_that_the_hub_reads(exported: Path, words: Words, tmp_path: Path) -> None:
    data = ModelCard.load(exported / "README.md").data.to_dict()
    assert (data["language"], data["pipeline_tag"], data["library_name"]) == (
        ["code"],
        "text-generation",
        "transformers",
    )
    assert "license" not in data
    config = load_config([*words, "export.licence=apache-2.0"])
    record = read_record(step_folder(Path(config.run.dir) / "train" / "checkpoints", STEPS))
    write_card(tmp_path, config, record, {}, ParityReport([PromptParity(1, 0.0, 1)]))
    assert ModelCard.load(tmp_path / "README.md").data.license == "apache-2.0"


def test_it_loads_where_nothing_of_ours_can_be_imported(exported: Path) -> None:
    script = snowcoder.demo.complete.__file__
    done = subprocess.run([sys.executable, script, str(exported)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "LlamaForCausalLM, 216,896 parameters" in done.stdout


def test_again_it_is_up_to_date(exported: Path, words: Words, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in exported.iterdir()}
    main(["export", *words])
    assert "is up to date" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in exported.iterdir()} == before


def test_a_wrong_export_does_not_take_the_place_of_a_good_one(
    words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tmp_path / "hf" / "good"
    good.parent.mkdir()
    good.touch()

    def with_wrong_theta(*arguments: object) -> dict[str, object]:
        return {**right(*arguments), "rope_parameters": {"rope_type": "default", "rope_theta": 7.0}}

    right = llama_config.to_llama
    monkeypatch.setattr(llama_config, "to_llama", with_wrong_theta)
    with pytest.raises(OperationError, match="a logit differs"):
        export.run(load_config([*words, f"export.dir={good.parent}", "export.step=0"]))
    assert [path.name for path in good.parent.iterdir()] == ["good"]
    assert (tmp_path / "hf.partial" / "model.safetensors").is_file()
    assert not (tmp_path / "hf.partial" / "manifest.json").exists()


def test_a_step_that_is_not_there_is_named(exported: Path, words: Words) -> None:
    with pytest.raises(UserError, match=r"export.step=7: .*Steps in .*: 0, 4"):
        export.run(load_config([*words, "export.step=7"]))


def test_the_card_of_imported_weights_claims_no_training(words: Words, tmp_path: Path) -> None:
    config = load_config(words)
    record = read_record(step_folder(Path(config.run.dir) / "train" / "checkpoints", 0))
    write_card(tmp_path, config, record, {}, ParityReport([PromptParity(1, 0.0, 1)]))
    card = (tmp_path / "README.md").read_text()
    assert "It began from imported weights." in card
    assert "Not trained by snowcoder." in card


def test_a_run_without_checkpoint_is_told_to_train(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no valid checkpoint"):
        export.run(load_config(tiny_overrides(tmp_path)))


def test_another_tokenizer_is_refused(exported: Path, words: Words, tmp_path: Path, tiny_tokenizer: Path) -> None:
    content = json.loads((tiny_tokenizer / "tokenizer.json").read_text())
    removed = max(content["model"]["vocab"], key=content["model"]["vocab"].get)
    del content["model"]["vocab"][removed]
    content["model"]["merges"].pop()
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"has 499 entries, the model in .* 500"):
        export.run(load_config([*words, f"tokenizer.dir={tmp_path}"]))


def with_two_ids_changed(tokenizer: Path, target: Path) -> Path:
    """The tokenizer with the ids of two entries exchanged: as many entries, the same texts."""
    shutil.copytree(tokenizer, target)
    content = json.loads((target / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    one, other = sorted(vocabulary, key=vocabulary.get)[-2:]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    (target / "tokenizer.json").write_text(json.dumps(content))
    return target


def test_what_the_checkpoint_was_not_trained_with_is_refused_by_name(
    words: Words, exported: Path, tmp_path: Path, workspace: Path, tiny_tokenizer: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in exported.iterdir()}
    with_two_ids_changed(tiny_tokenizer, tmp_path / "tokenizer")
    shutil.copytree(workspace / "index" / "selected", tmp_path / "index" / "raw")
    main(["plan", *words, f"run.dir={tmp_path}", f"plan.dir={tmp_path}/plan", "run.seed=5"])
    others = [f"{name}.dir={tmp_path}/{name}" for name in ("tokenizer", "plan", "index")]
    with pytest.raises(UserError) as refusal:
        export.run(load_config([*words, *others]))
    said = str(refusal.value)
    assert "is not exported, for it was trained with something else" in said
    for number, what in enumerate(("tokenizer", "plan of phase1", "index of raw"), 1):
        assert f"{number}. the {what} in {tmp_path}" in said
    assert "run.seed: 1234 -> 5" in said
    with pytest.raises(UserError, match=r"1\. the tokenizer in .*\nSet"):
        export.run(load_config([*words, others[0]]))
    assert {path: path.stat().st_mtime_ns for path in exported.iterdir()} == before


def test_where_plan_and_index_are_gone_the_record_names_them(
    words: Words, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export.run(load_config([*words, f"plan.dir={tmp_path}", f"index.dir={tmp_path}"]))
    assert "is up to date" in capsys.readouterr().out  # so that all of its lineage is the same


def test_a_record_of_an_earlier_version_names_what_the_plan_does(
    words: Words, exported: Path, tmp_path: Path, tiny_tokenizer: Path
) -> None:
    config = load_config(words)
    record = read_record(step_folder(Path(config.run.dir) / "train" / "checkpoints", STEPS))
    earlier = record.model_copy(update={"inputs": None, "begun": None})
    assert recorded_inputs(config, earlier) == record.inputs
    assert list(find_changes(config, earlier)) == []
    other = load_config([*words, f"tokenizer.dir={with_two_ids_changed(tiny_tokenizer, tmp_path / 'other')}"])
    assert "the tokenizer in" in next(find_changes(other, earlier))
    gone = load_config([*words, f"plan.dir={tmp_path}"])
    assert recorded_inputs(gone, earlier) == {"plan": record.plan, "imported": record.imported}


def test_a_folder_whose_tokenizer_has_other_ids_does_not_pass(
    exported: Path, tmp_path: Path, tiny_tokenizer: Path
) -> None:
    with pytest.raises(OperationError, match="2 entries of its tokenizer have other ids than in"):
        check_tokenizer(exported, load_tokenizer(with_two_ids_changed(tiny_tokenizer, tmp_path / "other")))


def test_an_export_takes_the_place_of_no_run(words: Words) -> None:
    config = load_config(words)
    for place in (config.run.dir, str(Path(config.run.dir).parent), config.tokenizer.dir):
        with pytest.raises(UserError, match=r"lies there, and would be removed"):
            export.run(load_config([*words, f"export.dir={place}"]))
    assert Path(config.tokenizer.dir).is_dir()
