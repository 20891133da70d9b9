"""What `snowcoder import` refuses, before any rank is started."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from snowcoder.config.compose import load_config
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.export import from_hf
from snowcoder.export.llama_config import to_llama
from snowcoder.model.initialize import tensor_shape
from snowcoder.model.mapping import EMBEDDING, HEAD, tensor_names
from snowcoder.pretrained.tensors import INDEX, WEIGHTS, Tensors
from tests.export.conftest import write_origin
from tests.tiny import tiny_overrides

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("import")
    return load_config(tiny_overrides(folder / "run", "parallel=single", "precision=fp32"))


@pytest.fixture(scope="module")
def whole(config: Config) -> Path:
    return write_origin(Path(config.run.dir).with_name("origin"), config)


@pytest.fixture
def origin(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "origin"))


@pytest.fixture
def change(origin: Path) -> Callable[..., None]:
    """Set keys of the origin's config.json."""

    def write(**changes: Any) -> None:
        path = origin / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return write


def test_every_mismatch_is_named_with_the_value_to_set(
    config: Config, origin: Path, change: Callable[..., None]
) -> None:
    rope = {"rope_type": "default", "rope_theta": 5e5}
    change(num_hidden_layers=6, tie_word_embeddings=False, rope_parameters=rope, attention_bias=True)
    with pytest.raises(UserError) as found:
        from_hf.run(config, str(origin))
    message = str(found.value)
    assert "its attention_bias is True; snowcoder's Llama can only have False" in message
    assert "model.layers is 4: set model.layers=6" in message
    assert "model.tied_embeddings is True: set model.tied_embeddings=false" in message
    assert "model.rope_theta is 10000.0: set model.rope_theta=500000.0" in message
    assert message.count("\n") == 4


def test_scaled_positions_and_other_heads_are_refused(
    config: Config, origin: Path, change: Callable[..., None]
) -> None:
    rope = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
    change(rope_parameters=rope, head_dim=32)
    with pytest.raises(UserError, match=r"positions are scaled \(linear\)[\s\S]*have 32 dimensions"):
        from_hf.run(config, str(origin))


def test_what_old_versions_wrote_is_understood(config: Config, origin: Path, change: Callable[..., None]) -> None:
    path = origin / "config.json"
    content = json.loads(path.read_text())
    del content["rope_parameters"]
    path.write_text(json.dumps(content))
    change(rope_theta=20000.0)
    with pytest.raises(UserError, match=r"model\.rope_theta=20000\.0"):
        from_hf.run(config, str(origin))


def test_another_architecture_is_refused(config: Config, origin: Path, change: Callable[..., None]) -> None:
    change(model_type="mistral")
    with pytest.raises(UserError, match="its model_type is 'mistral'"):
        from_hf.run(config, str(origin))
    change(model_type="nothing-known")
    with pytest.raises(UserError, match="of no model that transformers knows"):
        from_hf.run(config, str(origin))


def lfs(path: Path) -> None:
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 123\n")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "page": (lambda f: (f / WEIGHTS).write_text("<!DOCTYPE html><title>Sign in"), "model.safetensors is an HTML page"),
    "pointer": (lambda f: lfs(f / WEIGHTS), "model.safetensors is a git-lfs pointer.*git lfs pull"),
    "cut": (lambda f: cut(f / WEIGHTS), r"model.safetensors is cut short or damaged \(.*not fully covered"),
    "empty": (lambda f: (f / WEIGHTS).write_bytes(b""), "model.safetensors is empty"),
    "dead link": (lambda f: (f / WEIGHTS).rename(f / "x") and (f / WEIGHTS).symlink_to("y"), "cannot be read: No such"),
    "torn index": (lambda f: (f / INDEX).write_text('{"weight_map": {'), "index.json is cut short or damaged"),
    "index is a list": (lambda f: (f / INDEX).write_text("[]"), "index.json holds a list, not a JSON object"),
    "index without map": (lambda f: (f / INDEX).write_text("{}"), "index.json has no weight_map"),
    "index leads out": (lambda f: write_index(f, "../x.safetensors"), r"leads out of its folder, to \.\./x"),
    "index of others": (
        lambda f: write_index(f, "other.safetensors"),
        "it has model.safetensors, and .* of other files",
    ),
    "index promises": (lambda f: write_index(f, WEIGHTS), "model.safetensors lacks model.none.weight, which .*index"),
    "shards alone": (lambda f: (f / WEIGHTS).rename(f / "model-00001-of-00001.safetensors"), "but no .*index.json"),
    "besides": (lambda f: shutil.copy(f / WEIGHTS, f / "more.safetensors"), "more.safetensors besides its weights"),
    "adapter": (lambda f: (f / "adapter_config.json").write_text("{}"), "merge the adapter into the model"),
    "torn config": (lambda f: (f / "config.json").write_text('{"a'), "config.json is cut short or damaged"),
    "config is a list": (lambda f: (f / "config.json").write_text("[]"), "config.json holds a list"),
    "config pointer": (lambda f: lfs(f / "config.json"), "config.json is a git-lfs pointer"),
}


def write_index(folder: Path, name: str) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": {"model.none.weight": name}}))


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_files_are_told_in_a_line(kind: str, config: Config, origin: Path) -> None:
    plant, message = DAMAGE[kind]
    plant(origin)
    with pytest.raises(UserError, match=message) as found:
        from_hf.run(config, str(origin))
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("hidden_size", "64", "config.json is wrong: .*'hidden_size' expected int, got str"),
        ("num_attention_heads", 0, "config.json is wrong: ZeroDivisionError"),
        ("num_hidden_layers", -1, "config.json is wrong: num_hidden_layers: Input should be greater than"),
        ("dtype", "float99", "config.json is wrong: .*float99"),
        ("quantization_config", {"quant_method": "fp8"}, r"quantization_config \(fp8\): .*Dequantize the model"),
    ],
)
def test_wrong_values_in_config_json_are_named(
    key: str, value: Any, message: str, config: Config, origin: Path, change: Callable[..., None]
) -> None:
    change(**{key: value})
    with pytest.raises(UserError, match=message):
        from_hf.run(config, str(origin))


def rename(weights: Weights, old: str, new: str) -> None:
    for name in [name for name in weights if name.startswith(old)]:
        weights[new + name.removeprefix(old)] = weights.pop(name)


def overflow(weights: Weights) -> None:
    weights[QUERY] = torch.full((64, 64), 1e300, dtype=torch.float64)


def quantize(weights: Weights) -> None:
    for name in [name for name in weights if name.endswith("_proj.weight")]:
        weights[f"{name}_scale"] = torch.ones(1)
        weights[name] = weights[name].to(torch.float8_e4m3fn)


QUERY, LAST = "model.layers.0.self_attn.q_proj.weight", "model.norm.weight"
MISFITS: dict[str, tuple[Callable[[Weights], object], str]] = {
    "bias": (
        lambda w: w.update({"model.layers.0.mlp.up_proj.bias": torch.zeros(176)}),
        "it has model.layers.0.mlp.up_proj.bias, and snowcoder's Llama has no biases",
    ),
    "norm of queries": (
        lambda w: w.update({"model.layers.0.self_attn.q_norm.weight": torch.ones(16)}),
        "it has .*q_norm.weight, and snowcoder's Llama has no norms of queries and keys",
    ),
    "layer": (
        lambda w: w.update({f"model.layers.{n}.input_layernorm.weight": torch.ones(64) for n in range(4, 9)}),
        r"it has model.layers.4.*, model.layers.6.input_layernorm.weight and 2 more, which a Llama of 4 layers",
    ),
    "adapter": (
        lambda w: w.update({QUERY.replace("weight", "lora_A.weight"): torch.ones(2, 64)}),
        r"it has .*lora_A.weight, of an adapter: .*merge_and_unload",
    ),
    "float8": (quantize, r"(?s)_scale and 25 more, of quantized weights.*and 25 more: of dtype F8_E4M3.*dequantize"),
    "whole numbers": (lambda w: w.update({LAST: torch.ones(64, dtype=torch.int8)}), f"{LAST}: of dtype I8"),
    "missing": (lambda w: (w.pop(QUERY), w.pop(LAST)), f"it lacks {QUERY}, {LAST}: it is not a whole Llama"),
    "no embedding": (lambda w: w.pop(EMBEDDING), f"it lacks {EMBEDDING}"),
    "shape": (lambda w: w.update({LAST: torch.ones(60)}), rf"{LAST}: of shape \[60\], by config.json it is \[64\]"),
    "NaN": (lambda w: w[QUERY].__setitem__((3, 5), torch.nan), f"{QUERY}: not all numbers are finite as float32"),
    "infinite": (lambda w: w[LAST].__setitem__(7, -torch.inf), f"{LAST}: not all numbers are finite"),
    "too large": (overflow, f"{QUERY}: not all numbers are finite as float32"),
    "another head": (
        lambda w: w.update({HEAD: w[EMBEDDING] + 1e-3}),
        f"its {HEAD} is not its {EMBEDDING}.* set model.tied_embeddings=false",
    ),
    "no prefix": (lambda w: rename(w, "model.", ""), "it has embed_tokens.weight, .*: load it as a LlamaForCausalLM"),
    "other prefix": (
        lambda w: rename(w, "", "_orig_mod."),
        "it has _orig_mod.model.embed_tokens.weight, .*rename them",
    ),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_no_tensor_is_lost_or_spoiled_in_silence(kind: str, config: Config, origin: Path) -> None:
    plant, message = MISFITS[kind]
    edit(origin, plant)
    with pytest.raises(UserError, match=message):
        from_hf.run(config, str(origin))


def edit(folder: Path, plant: Callable[[Weights], object]) -> None:
    weights = load_file(folder / WEIGHTS)
    plant(weights)
    save_file(weights, folder / WEIGHTS, {"format": "pt"})


def test_all_problems_are_told_at_once(config: Config, tmp_path: Path) -> None:
    origin = write_origin(tmp_path / "sharded", config, shard_size="200KB")
    first, second, third, *_ = sorted(origin.glob("*.safetensors"))
    lfs(first)
    cut(second)
    third.unlink()
    content = json.loads((origin / "config.json").read_text())
    (origin / "config.json").write_text(json.dumps({**content, "rms_norm_eps": 1e-3}))
    with pytest.raises(UserError) as found:
        from_hf.run(config, str(origin))
    assert re.findall(r"\d\. (?:it lacks )?(\S+)", str(found.value)) == [
        f"{third.name},",
        first.name,
        second.name,
        "model.norm_eps",
    ]


def test_a_tensor_in_two_shards_is_refused(config: Config, tmp_path: Path) -> None:
    origin = write_origin(tmp_path / "sharded", config, shard_size="200KB")
    first, *_, last = sorted(origin.glob("*.safetensors"))
    save_file({**load_file(last), **load_file(first)}, last)
    with pytest.raises(UserError, match=f"{last.name} has .* once more"):
        from_hf.run(config, str(origin))


@pytest.mark.parametrize(
    ("plant", "words", "dtypes"),
    [
        (lambda w: w.update({HEAD: w.pop(EMBEDDING)}), [], "float32"),
        (lambda w: w.update({HEAD: w[EMBEDDING].clone()}), [], "float32"),
        (lambda w: w.update({HEAD: w[EMBEDDING] + 1}), ["model.tied_embeddings=false"], "float32"),
        (lambda w: w.update({QUERY: w[QUERY].half(), LAST: w[LAST].double()}), [], "float16, float32, float64"),
        (lambda w: w.update({"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)}), [], "float32"),
    ],
    ids=["head alone", "both alike", "untied", "dtypes", "inv_freq"],
)
def test_what_is_whole_is_taken(
    plant: Callable[[Weights], object],
    words: list[str],
    dtypes: str,
    origin: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    edit(origin, plant)
    started: list[str] = []
    monkeypatch.setattr(from_hf, "launch", lambda task, *_, **__: started.append(task))
    from_hf.run(load_config(tiny_overrides(tmp_path, "parallel=single", "precision=fp32", *words)), str(origin))
    assert started == ["snowcoder.export.load:run"]
    assert f"({dtypes} there, fp32 here)" in capsys.readouterr().out


def test_what_is_hidden_or_only_in_the_index_is_no_damage(
    config: Config, origin: Path, change: Callable[..., None]
) -> None:
    names = [*load_file(origin / WEIGHTS), HEAD, "model.layers.0.self_attn.rotary_emb.inv_freq"]
    (origin / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(names, WEIGHTS)}))
    (origin / f"._{WEIGHTS}").write_bytes(b"of macOS")
    with Tensors(origin) as tensors:
        assert list(from_hf._problems(config, tensors)) == []
        untied = config.model_copy(update={"model": config.model.model_copy(update={"tied_embeddings": False})})
        change(tie_word_embeddings=False)
        (problem,) = from_hf._problems(untied, tensors)
        assert problem.startswith(f"it lacks {HEAD}: it is not a whole Llama")


@pytest.mark.parametrize("tied", [True, False])
def test_the_rules_name_the_tensors_that_transformers_has(config: Config, tied: bool) -> None:
    model = config.model.model_copy(update={"tied_embeddings": tied})
    with torch.device("meta"):
        theirs = LlamaForCausalLM(LlamaConfig(**to_llama(model, config.precision, {})))
    shapes = {name: tuple(parameter.shape) for name, parameter in theirs.named_parameters()}
    assert {name: tensor_shape(name, model) for name in tensor_names(model)} == shapes


def test_pickled_weights_are_not_read(config: Config, origin: Path) -> None:
    torch.save(load_file(origin / "model.safetensors"), origin / "pytorch_model.bin")
    (origin / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"only pytorch_model\.bin: snowcoder reads weights from safetensors only"):
        from_hf.run(config, str(origin))


def test_an_adapter_is_no_model(config: Config, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"is an adapter .*merge it into its base model"):
        from_hf.run(config, str(tmp_path))


def test_a_folder_without_model_is_refused(config: Config, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"it has no config\.json"):
        from_hf.run(config, str(tmp_path / "nowhere"))


def test_a_run_that_has_begun_is_left_alone(config: Config, origin: Path, tmp_path: Path) -> None:
    run = config.run.model_copy(update={"dir": str(tmp_path)})
    config = config.model_copy(update={"run": run})
    checkpoint = Path(config.run.dir) / "train" / "checkpoints" / "step-00000012"
    shutil.copytree(origin, checkpoint)
    (checkpoint / "COMPLETE.json").write_text("{}")
    with pytest.raises(UserError, match=r"already has a checkpoint \(step 12\)"):
        from_hf.run(config, str(origin))
