"""What the plan says of size, memory, FLOPs and dates, against numbers worked out by hand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from snowcoder.config.compose import load_config
from snowcoder.config.frozen import to_yaml
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.mixture.phase_plan import SourceSize, make_plan
from snowcoder.model.size import count_parameters, flops_per_token
from snowcoder.planning.disk import needs
from snowcoder.planning.forecast import describe_forecast
from snowcoder.planning.memory import memory_of_rank
from tests.mixture.small_plan import configure, phase

ARCTIC = load_config(["recipe=arctic"])


def test_parameters_of_the_papers_model() -> None:
    assert count_parameters(ARCTIC.model).total == 1_364_297_728


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_those_of_transformers(kv_heads: int, tied: bool) -> None:
    shape = {"kv_heads": kv_heads, "tied_embeddings": tied, "vocab_size": 501}
    model = load_config(
        ["model=tiny", "tokenizer.vocab_size=4096", "parallel=single", "phases.phase1.sequence_length=64"]
    ).model.model_copy(update=shape)
    theirs = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=501,
            hidden_size=model.hidden,
            intermediate_size=model.ffn,
            num_hidden_layers=model.layers,
            num_attention_heads=model.heads,
            num_key_value_heads=kv_heads,
            tie_word_embeddings=tied,
        )
    )
    assert count_parameters(model).total == sum(p.numel() for p in theirs.parameters())


def test_flops_of_the_papers_model() -> None:
    full, causal = (flops_per_token(ARCTIC.model, 8192, half) for half in (False, True))
    assert full == pytest.approx(8.185e9 + 4.832e9, rel=1e-3)
    assert full - causal == 6 * 24 * 2048 * 8192


def memory(precision: str = "bf16", **parallel: object) -> tuple[float, ...]:
    update = {
        "parallel": ARCTIC.parallel.model_copy(update=parallel),
        "precision": ARCTIC.precision.model_copy(update={"dtype": precision}),
    }
    return tuple(memory_of_rank(ARCTIC.model_copy(update=update)))


HALVES = {"tensor": 2, "sequence": True, "data": 64}
PARAMETERS, NORMS = 1_364_297_728, 49 * 2048


def test_memory_of_weights_gradients_and_optimizer() -> None:
    """2 + 4 bytes a parameter and 12 over the data ranks in bf16; 4 + 4 and 8 in fp32."""
    assert memory()[:3] == (2 * PARAMETERS, 4 * PARAMETERS, 12 * PARAMETERS / 128)
    assert memory(distributed_optimizer=False)[2] == 12 * PARAMETERS
    assert memory("fp32")[:3] == (4 * PARAMETERS, 4 * PARAMETERS, 8 * PARAMETERS / 128)
    held = (PARAMETERS + NORMS) / 2  # norms are not split
    assert memory(**HALVES)[:3] == (2 * held, 4 * held, 12 * held / 64)


def test_memory_of_weights_in_fp8() -> None:
    """Twice a byte for each number in the layers' matrices, beside the bf16 weights: 4 h^2 and 3 x 2.75 h^2 a layer."""
    precision = ARCTIC.precision.model_copy(update={"fp8": "tensorwise"})
    weights = memory_of_rank(ARCTIC.model_copy(update={"precision": precision})).weights
    assert weights == 2 * PARAMETERS + 2 * 24 * (4 + 3 * 2.75) * 2048**2


def test_memory_of_activations() -> None:
    """24 layers of 16.25 x 2048 numbers a token (4 h for norms, 4 h for attention, 3 x 2.75 h)."""
    tokens, hidden, logits = 8192, 2048, 64_000 * 2
    layer = 16.25 * hidden * 2
    assert memory()[3] == tokens * (24 * layer + logits)
    assert memory(recompute="full")[3] == tokens * (24 * hidden * 2 + layer + logits)
    assert memory(**HALVES)[3] == memory()[3] / 2
    without = {**HALVES, "sequence": False}
    assert memory(**without)[3] == memory(**HALVES)[3] + tokens * 24 * 2 * hidden * 2
    # The first of four stages holds four micro batches of six layers, and no logits.
    assert memory(pipeline=4, data=32)[3] == tokens * 24 * layer
    virtual = memory(pipeline=4, virtual_stages=2, data=32)[3]
    assert virtual == tokens * 24 * layer * (1 + 3 / 8)


def test_hours_and_dates() -> None:
    base = configure(
        Path("-"),
        phase1=phase(3600, 4, 64, raw=(1.0, 1)),
        phase2=phase(1800, 4, 64, raw=(1.0, 2)),
    )
    changed = {"start": "2026-12-01T09:00", "tokens_per_second_per_gpu": 128.0}
    config = base.model_copy(update={"plan": base.plan.model_copy(update=changed)})
    text = describe_forecast(config, make_plan(config, {"raw": SourceSize(10**6, "x")}), set())
    one, two = text.splitlines()[-2:]
    assert one.split() == ["phase1", *one.split()[1:5], "2.0", "2026-12-01", "11:00"]
    assert two.split()[-3:] == ["1.0", "2026-12-01", "12:00"]
    tokens = 3600 * 4 * 64
    flops = tokens * flops_per_token(config.model, 64, causal=False)
    assert float(one.split()[3]) == pytest.approx(flops, rel=1e-2)


SHAPE = {"phase1": phase(40, 4, 64, raw=(1.0, 1)), "phase2": phase(10, 4, 64, raw=(1.0, 2))}


def a_run(folder: Path, **plan: Any) -> Config:
    base = configure(folder, **SHAPE)
    return base.model_copy(
        update={
            "run": base.run.model_copy(update={"dir": str(folder)}),
            "plan": base.plan.model_copy(update={"start": "2026-12-01T09:00", **plan}),
        }
    )


def time_of(config: Config) -> list[str]:
    """The lines of the time, from its basis on."""
    text = describe_forecast(config, make_plan(config, {"raw": SourceSize(10**6, "x")}), set())
    return text[text.index("time: ") :].splitlines()


def write_steps(config: Config, first: int, last: int, seconds: float, **more: Any) -> None:
    """Steps of the first phase, each 256 tokens long, as `snowcoder train` records them."""
    folder = Path(config.run.dir)
    (folder / "resolved.yaml").write_text(to_yaml(config))
    with (folder / "metrics.jsonl").open("a") as file:
        for step in range(first, last + 1):
            record = {"kind": "step", "step": step, "phase": "phase1", "tokens": 256, "seconds": seconds, **more}
            file.write(json.dumps(record) + "\n")


def test_dates_that_rest_on_an_assumption_say_so(tmp_path: Path) -> None:
    lines = time_of(a_run(tmp_path, tokens_per_second_per_gpu=256.0, start=None))
    assert lines[0] == "time: assumed, not measured: plan.tokens_per_second_per_gpu=256"
    assert "256 tokens/s a rank on 1 rank(s): " in lines[1]
    assert "of the peak of 989 TFLOP/s" in lines[1]  # of an H100, as precision=bf16 has it
    assert re.fullmatch(r"  starting 20\d\d-\d\d-\d\d \d\d:\d\d \S+", lines[2])  # and the zone
    assert "GPU-hours" in lines[3]


def test_without_steps_and_assumption_there_are_no_dates(tmp_path: Path) -> None:
    lines = time_of(a_run(tmp_path, tokens_per_second_per_gpu=None))
    assert lines[0].startswith("time: not known until some steps are measured. Run `snowcoder train` with the same")
    assert [line.split()[-2:] for line in lines[-2:]] == [["?", "?"], ["?", "?"]]
    assert "2026" not in "".join(lines)


def test_dates_rest_on_the_last_steps_of_the_run(tmp_path: Path) -> None:
    """A slow first step, and one that is cut short, move nothing; what is done takes no time any more."""
    config = a_run(tmp_path, tokens_per_second_per_gpu=30100.0)
    write_steps(config, 1, 1, 1000.0)
    write_steps(config, 2, 10, 60.0)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')
    lines = time_of(config)
    assert lines[0].startswith("time: measured in this run, steps 1 to 10 (the median)")
    assert lines[1].startswith("  4.3 tokens/s a rank on 1 rank(s): ")
    assert "of the peak" not in lines[1]  # it was no GPU that ran them
    assert lines[2] == "  starting 2026-12-01 09:00 from step 10 on"
    one, two = (line.split() for line in lines[-2:])
    assert one[-3:] == ["0.67", "2026-12-01", "09:30"]  # 40 minutes, of which 30 are left
    assert two[-3:] == ["0.17", "2026-12-01", "09:40"]
    write_steps(config, 11, 40, 60.0, tflops=1e-3, tflops_causal=1e-3, mfu=0.4, mfu_causal=0.3)
    lines = time_of(config)
    assert lines[0].startswith("time: measured in this run, steps 21 to 40 (the median)")
    assert "of the peak" in lines[1]
    assert lines[-2].split()[-2:] == ["0.67", "done"]
    assert lines[-1].split()[-1] == "09:10"


@pytest.mark.parametrize(
    ("section", "change", "why"),
    [
        ("parallel", {"tensor": 2}, "parallel.tensor was 1"),
        ("model", {"layers": 12, "hidden": 1024}, "model.layers was 24, model.hidden was 2048"),
        ("precision", {"dtype": "fp32"}, "precision.dtype was bf16"),
    ],
)
def test_steps_of_another_layout_or_model_are_not_used(
    tmp_path: Path, section: str, change: dict[str, Any], why: str
) -> None:
    config = a_run(tmp_path, tokens_per_second_per_gpu=None)
    write_steps(config, 1, 10, 60.0)
    changed = config.model_copy(update={section: getattr(config, section).model_copy(update=change)})
    assert f"the run's last steps are not used: {why}. Run" in time_of(changed)[0]


def test_steps_of_another_batch_or_of_an_unknown_config_are_not_used(tmp_path: Path) -> None:
    config = a_run(tmp_path, tokens_per_second_per_gpu=9.0)
    write_steps(config, 1, 10, 60.0, tokens=512)
    expected = "time: assumed, not measured: plan.tokens_per_second_per_gpu=9; the run's last steps are not used: "
    assert time_of(config)[0] == f"{expected}a step had 512 tokens"
    (tmp_path / "resolved.yaml").write_text("run: there")
    assert time_of(config)[0].startswith(f"{expected}{tmp_path}/resolved.yaml is not a frozen config of this version")


def test_disk_of_the_papers_run() -> None:
    """2 bytes a token and 57 a file for the index; 14 bytes a parameter for each of 3 + 3 + 1 checkpoints."""
    sizes = {need.what.split(",")[0]: need.bytes for need in needs(ARCTIC, list(ARCTIC.phases))}
    assert sizes["index of raw"] == pytest.approx(400e9 * (2 + 57 / 1700))
    assert sizes["plan"] == pytest.approx(8 * (2 * 400e9 + 5 * 12.5e9 + 3 * 1e9 + 3 * 1e9) / 1700)
    assert sizes["7 checkpoints of 17.8 GiB"] == 7 * 14 * PARAMETERS
    assert sizes["exported model"] == 2 * PARAMETERS
    text = describe_forecast(
        ARCTIC, make_plan(ARCTIC, {name: SourceSize(int(400e9), "") for name in ARCTIC.index.sources}), set()
    )
    assert "758 GiB for index of raw, in runs/arctic/index/raw" in text


def test_a_start_that_is_no_date_is_refused() -> None:
    base = configure(Path("-"), phase1=phase(2, 4, 64, raw=(1.0, 1)))
    config = base.model_copy(update={"plan": base.plan.model_copy(update={"start": "soon"})})
    with pytest.raises(UserError, match=r"plan\.start='soon'"):
        describe_forecast(config, make_plan(config, {"raw": SourceSize(10**6, "x")}), set())
