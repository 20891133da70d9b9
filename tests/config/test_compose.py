"""Configs: composed once, every problem in one report, frozen and read back."""

from pathlib import Path

import pytest
import yaml

from snowcoder.config.compose import conf_dir, known_keys, load_config
from snowcoder.config.frozen import read_config, to_yaml
from snowcoder.errors import UserError


def problems_of(*overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load_config(list(overrides))
    return str(caught.value)


def test_paper_values_of_the_arctic_recipe() -> None:
    config = load_config(["recipe=arctic"])
    model = config.model
    assert (model.layers, model.hidden, model.ffn, model.heads, model.kv_heads) == (24, 2048, 5632, 16, 16)
    assert (model.vocab_size, model.sequence_length, model.tied_embeddings) == (64000, 8192, True)
    phase1, phase2, phase3 = config.phases.values()
    assert [phase.tokens for phase in (phase1, phase2, phase3)] == [500e9, 50e9, 5e9]
    assert (phase1.global_batch, phase1.learning_rate.warmup_steps, phase1.learning_rate.shape) == (512, 600, "cosine")
    assert phase1.learning_rate.peak * phase1.learning_rate.final_ratio == pytest.approx(5.3e-5)
    assert (phase2.learning_rate.warmup_steps, phase2.learning_rate.shape) == (1000, "linear")
    assert phase2.learning_rate.final_ratio == 0.0


@pytest.mark.parametrize("recipe", [path.stem for path in (conf_dir() / "recipe").glob("*.yaml")])
def test_every_recipe_is_valid(recipe: str) -> None:
    assert load_config([f"recipe={recipe}"]).phases


def test_one_override_reaches_all_phases_and_one_phase_alone() -> None:
    config = load_config(["optimizer.lr=3e-4", "phases.phase2.learning_rate.peak=1e-4"])
    peaks = [phase.learning_rate.peak for phase in config.phases.values()]
    assert peaks == [3e-4, 1e-4, 3e-4]


def test_phase_choice_keeps_the_plan_whole() -> None:
    config = load_config(["phase=phase2"])
    assert config.run.phases == ["phase2"]
    assert list(config.phases) == ["phase1", "phase2", "phase3"]
    assert load_config(["phase=[phase1,phase2]"]).run.phases == ["phase1", "phase2"]


def test_all_problems_are_reported_together() -> None:
    report = problems_of(
        "recipe=artic",
        "optimzer.lr=1",
        "model.layers=many",
        "parallel.pipeline=7",
        "phases.phase1.sources.raw.share=0.5",
    )
    assert "the config has 5 problem(s)" in report
    assert "recipe=artic: no such choice (did you mean arctic?)" in report
    assert "optimzer: unknown key (did you mean optimizer?)" in report
    assert "model.layers='many': input should be a valid integer" in report
    assert "parallel.pipeline=7: must divide model.layers=24; allowed: 1, 2, 3, 4, 6, 8, 12, 24" in report
    assert "phases.phase1.sources: the shares add up to 0.5 (raw 0.5)" in report


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("notify.events=[3]", "notify.events.0=3: input should be a valid string"),
        ("model.heds=16", "model.heds: unknown key (did you mean model.heads?)"),
        ("recpe=demo", "recpe: unknown key (did you mean recipe?)"),
        ("phases.phase1.sources.raw.shar=1", "did you mean phases.phase1.sources.raw.share?"),
        ("precision.dtype=fp16", "precision.dtype='fp16': input should be 'fp32' or 'bf16'"),
        ("optimizer.lr=-1", "optimizer.lr=-1: input should be greater than 0"),
        ("model=huge", "model is one of smollm2_135m, snowcoder_1_3b, tiny"),
        ("phase=[phase1,phase3]", "must be neighbours in the order phase1, phase2, phase3"),
        ("model.hidden=16", "model.heads=16: each is 1 wide (model.hidden); rotary positions need an even width"),
        ("optimizer.beta1=1", "optimizer.beta1=1: input should be less than 1"),
        ("logging.profile_steps=[5,2]", "logging.profile_steps=[5, 2]: from the first to the last"),
        ("model.kv_heads=3", "model.kv_heads=3: must divide model.heads=16; allowed: 1, 2, 4, 8, 16"),
        ("tokenizer.vocab_size=32000", "model.vocab_size=64000: must equal tokenizer.vocab_size=32000"),
        ("phases.phase1.global_batch=500", "must be a multiple of parallel.micro_batch x parallel.data = 128"),
        ("phases.phase3.learning_rate.warmup_steps=9999", "must be below the phase's 1192 steps"),
        ("parallel.virtual_stages=2", "needs parallel.pipeline above 1"),
        ("precision.fp8=delayed precision.dtype=fp32", "precision.fp8=delayed: needs precision.dtype=bf16"),
        (
            "precision=mxfp8 model.ffn=5616",
            "model.ffn=5616: with precision.fp8=mxfp8 it must be a multiple of 32",
        ),
        (
            "precision=fp8 parallel=tp2 parallel.data=64 model.hidden=2064",
            "model.hidden=2064: with precision.fp8=tensorwise it must be a multiple of 32",
        ),
        ("parallel.sequence=true parallel.tensor=1", "parallel.sequence=True: sequence parallelism splits over tensor"),
        ("parallel.overlap=true parallel.distributed_optimizer=false", "needs parallel.distributed_optimizer=true"),
        ("index.part=3/2", "index.part=3/2: allowed are 1/2 to 2/2"),
        ("annotator.positives.hqcode.at_least=3", "annotator.positives.hqcode: scores and at_least go together"),
        ("synthesis.seeds.source=null", "synthesis.seeds.source: seeds.cut=lines cuts files; name a source"),
        ("synthesis.execute=true", "synthesis.execute: only conversations have tests"),
        ("synthesis.python=null", "synthesis.python, synthesis.other: a recipe of files needs places for shards"),
        (
            "evaluation.generation.backend=server guidance=full",
            "guidance: a server writes by itself; set generation.backend=transformers, or guidance=off",
        ),
        ("evaluation.generation.samples=4", "evaluation.generation.samples=4: greedy samples are alike"),
        ("evaluation.pass_at=[1,5]", "evaluation.pass_at=[5]: at most evaluation.generation.samples=1"),
        ("repair.generation.backend=server", "backend=server: written on this machine; allowed: transformers"),
        ("repair.generation.new_tokens=null", "repair.generation.new_tokens: no benchmark says how long a patch is"),
        ("repair.generation.temperature=0", "repair.generation.samples=20: greedy samples are alike"),
        ("repair.templates=[]", "repair.templates: is empty; allowed: hunk, line_start, line_end"),
        ("repair=defects4j repair.language=python", "repair.language=python: Defects4J's bugs are in java"),
        ("repair=defects4j guidance=names", "guidance.names: of a method alone an engine knows nothing"),
        (
            "phases.phase1.sequence_length=16384",
            "phases.phase1.sequence_length=16384: at most model.sequence_length=8192",
        ),
        ("phases.phase3.tokens=1000", "phases.phase3.tokens=1000: less than one step of"),
        ("grouping.max_mib=100", "grouping.max_mib=100: the index drops documents of more than index.max_document_mib"),
        ("corpus.near.bands=1000", "permutations, there are"),
        ("run.dir=${nothing.here}", "nothing.here"),
    ],
)
def test_problem_says_key_value_and_what_is_allowed(override: str, message: str) -> None:
    assert message in problems_of(*override.split())


def test_frozen_config_reads_back_equal(tmp_path: Path) -> None:
    config = load_config(["recipe=demo", "run.seed=7"])
    path = tmp_path / "resolved.yaml"
    path.write_text(to_yaml(config))
    assert read_config(path) == config


def test_frozen_config_of_another_version_is_refused(tmp_path: Path) -> None:
    raw = yaml.safe_load(to_yaml(load_config([])))
    raw["from_the_future"] = 1
    path = tmp_path / "resolved.yaml"
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(UserError, match="from_the_future"):
        read_config(path)


def test_known_keys_cover_phases_and_sources() -> None:
    keys = known_keys(yaml.safe_load(to_yaml(load_config([]))))
    assert "phases.phase1.learning_rate.peak" in keys
    assert "index.sources.raw.shards" in keys
    assert "logging.profile_steps" in keys
