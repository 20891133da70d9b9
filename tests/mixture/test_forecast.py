"""What the plan says of size, memory, FLOPs and dates, against numbers worked out by hand."""

from pathlib import Path

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from snowcoder.config.compose import load_config
from snowcoder.errors import UserError
from snowcoder.mixture.forecast import describe
from snowcoder.mixture.memory import memory_of_rank
from snowcoder.mixture.plan import SourceSize, make_plan
from snowcoder.model.size import flops_per_token, parameters
from tests.mixture.small_plan import configure, phase

ARCTIC = load_config(["recipe=arctic"])


def test_parameters_of_the_papers_model() -> None:
    assert parameters(ARCTIC.model).total == 1_364_297_728


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
    assert parameters(model).total == sum(p.numel() for p in theirs.parameters())


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


def test_memory_of_activations() -> None:
    """24 layers of 19 x 2048 numbers a token (4 h for norms, 4 h for attention, 4 x 2.75 h)."""
    tokens, hidden, logits = 8192, 2048, 64_000 * 6
    layer = 19 * hidden * 2
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
    text = describe(config, make_plan(config, {"raw": SourceSize(10**6, "x")}), set())
    one, two = text.splitlines()[-2:]
    assert one.split() == ["phase1", *one.split()[1:5], "2.0", "2026-12-01", "11:00"]
    assert two.split()[-3:] == ["1.0", "2026-12-01", "12:00"]
    tokens = 3600 * 4 * 64
    flops = tokens * flops_per_token(config.model, 64, causal=False)
    assert float(one.split()[3]) == pytest.approx(flops, rel=1e-2)


def test_a_start_that_is_no_date_is_refused() -> None:
    base = configure(Path("-"), phase1=phase(2, 4, 64, raw=(1.0, 1)))
    config = base.model_copy(update={"plan": base.plan.model_copy(update={"start": "soon"})})
    with pytest.raises(UserError, match=r"plan\.start='soon'"):
        describe(config, make_plan(config, {"raw": SourceSize(10**6, "x")}), set())
