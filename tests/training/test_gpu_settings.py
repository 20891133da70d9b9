"""What is asked of megatron-core, Transformer Engine, CUDA and NCCL where there is a GPU. There is none here: CUDA is
faked as far as to build the arguments, and what they do was read in the libraries, not run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from megatron.core.models.common.embeddings import rope_utils

from benchmarks import training_gpu
from snowcoder.config.compose import load_config
from snowcoder.config.frozen import to_yaml
from snowcoder.config.schema import Config
from snowcoder.errors import UserError
from snowcoder.model import llama, platform
from snowcoder.model.fp8 import SCALINGS, device_problem
from snowcoder.training.rank.environment import cuda_environment, tune_cuda

A100, ADA, H100, B200, RTX_5090 = (8, 0), (8, 9), (9, 0), (10, 0), (12, 0)


def config_of(*overrides: str) -> Config:
    return load_config(["recipe=arctic", *overrides])


Device = Callable[[tuple[int, int]], None]


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """Make the model believe in a GPU of some capability, with Transformer Engine."""

    def fake(capability: tuple[int, int]) -> None:
        monkeypatch.setattr(platform, "ON_CPU", False)
        monkeypatch.setattr(llama, "TRANSFORMER_ENGINE", True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
        monkeypatch.setattr(rope_utils, "fused_apply_rotary_pos_emb", "a kernel of Transformer Engine")

    return fake


def test_kernels_of_the_loss(device: Device) -> None:
    device(H100)
    built = llama.transformer_config(config_of())
    assert (built.cross_entropy_loss_fusion, built.cross_entropy_fusion_impl) == (True, "te")
    assert built.bias_activation_fusion
    assert built.apply_rope_fusion
    # megatron-core's output layer raises if it is on and apex is not there.
    assert built.gradient_accumulation_fusion is False


def test_a_cpu_has_none_of_a_gpus_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rope_utils, "fused_apply_rotary_pos_emb", "our own, which `platform.install` puts there")
    built = llama.transformer_config(config_of("precision=fp32"))
    assert (built.cross_entropy_loss_fusion, built.cross_entropy_fusion_impl) == (False, "native")
    assert not built.bias_dropout_fusion
    assert not built.persist_layer_norm


def test_layers_of_transformer_engine_accumulate_their_gradients_themselves() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.Linear(2, 2)))
    model[1][0].fuse_wgrad_accumulation = False  # as te.pytorch.Linear and LayerNormLinear have it
    llama._fuse_gradient_accumulation(model)
    assert model[1][0].fuse_wgrad_accumulation is True
    assert not hasattr(model[0], "fuse_wgrad_accumulation")


@pytest.mark.parametrize(
    ("recipe", "capability", "form", "history"),
    [
        ("delayed", H100, "hybrid", 1024),
        ("tensorwise", H100, "hybrid", 1),
        ("blockwise", H100, "hybrid", 1),
        ("mxfp8", B200, "e4m3", 1),
    ],
)
def test_recipes_of_fp8(device: Device, recipe: str, capability: tuple[int, int], form: str, history: int) -> None:
    device(capability)
    built = llama.transformer_config(config_of("precision=fp8", f"precision.fp8={recipe}"))
    assert (built.fp8, built.fp8_recipe, built.fp8_amax_history_len) == (form, recipe, history)
    assert built.fp8_amax_compute_algo == ("max" if recipe == "delayed" else "most_recent")


def test_a_device_that_cannot_is_refused(device: Device) -> None:
    device(H100)
    with pytest.raises(UserError) as refused:
        llama.transformer_config(config_of("precision=mxfp8"))
    assert str(refused.value) == (
        "precision.fp8=mxfp8: needs Blackwell of a data centre (B200, GB200, B300), this is NVIDIA H100 80GB HBM3; "
        "it can do: delayed, tensorwise, blockwise"
    )


@pytest.mark.parametrize(
    ("capability", "able"),
    [
        (A100, set()),
        (ADA, {"delayed", "tensorwise"}),
        (H100, {"delayed", "tensorwise", "blockwise"}),
        (B200, {"delayed", "tensorwise", "blockwise", "mxfp8"}),
        (RTX_5090, {"delayed", "tensorwise", "blockwise"}),
    ],
)
def test_what_devices_can_do(capability: tuple[int, int], able: set[str]) -> None:
    """As Transformer Engine's own checks have it (pytorch/quantization.py of 2.11)."""
    assert {recipe for recipe in SCALINGS if device_problem(recipe, capability, "it") is None} == able
    assert device_problem("none", capability, "it") is None


SPLIT_TENSORS = ("parallel=tp2", "parallel.data=64")


@pytest.mark.parametrize(
    ("overrides", "connections"),
    [
        ((), "8"),
        (SPLIT_TENSORS, "1"),
        (("parallel.context=2", "parallel.data=64"), "1"),
        (("parallel.pipeline=2", "parallel.data=64"), "8"),
        ((*SPLIT_TENSORS, "precision=mxfp8"), "32"),
    ],
)
def test_connections_follow_from_the_layout(overrides: tuple[str, ...], connections: str) -> None:
    assert cuda_environment(config_of(*overrides))["CUDA_DEVICE_MAX_CONNECTIONS"] == connections


def test_norms_leave_room_for_collectives_only_where_there_are_some_beside_them() -> None:
    margins = {"NVTE_FWD_LAYERNORM_SM_MARGIN": "16", "NVTE_BWD_LAYERNORM_SM_MARGIN": "16"}
    overlapped = cuda_environment(config_of("parallel.overlap=true"))
    assert overlapped.items() >= margins.items()
    assert cuda_environment(config_of("parallel.overlap=false")).keys().isdisjoint(margins)


@pytest.mark.parametrize("name", ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"])
def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    config = config_of()
    monkeypatch.setattr(os, "environ", {name: "max_split_size_mb:64", "CUDA_DEVICE_MAX_CONNECTIONS": "4"})
    tune_cuda(config)
    assert os.environ["PYTORCH_CUDA_ALLOC_CONF"] == "max_split_size_mb:64"
    assert os.environ["CUDA_DEVICE_MAX_CONNECTIONS"] == "4"
    assert os.environ["TORCH_NCCL_HIGH_PRIORITY"] == "1"


def test_a_rank_sets_them_before_it_imports_torch(tmp_path: Path) -> None:
    """CUDA and the allocator read them once."""
    (tmp_path / "resolved.yaml").write_text(to_yaml(config_of()))
    code = """
import sys
from snowcoder.training.rank import environment, worker
environment.tune_cuda = lambda config: sys.exit("torch is there" if "torch" in sys.modules else 0)
worker.main()
sys.exit("never called")
"""
    ranks = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    command = [sys.executable, "-c", code, "no:task", str(tmp_path / "resolved.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **ranks})
    assert (done.returncode, done.stderr) == (0, "")


def test_the_benchmark_says_that_there_is_nothing_to_measure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        training_gpu.run()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "benchmarks: training_gpu needs a GPU, which is not here; nothing was measured\n"
