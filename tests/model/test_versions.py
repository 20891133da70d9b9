"""What snowcoder asks of megatron-core alike, whichever version is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from megatron.core import parallel_state
from packaging.version import Version
from torch.testing._internal.distributed.fake_pg import FakeStore

from snowcoder.config.compose import load_config
from snowcoder.model.versions import part_of_context_rank
from snowcoder.training.train import launch
from tests.tiny import tiny_overrides


@pytest.fixture
def last_of_four() -> Iterator[None]:
    """The last of four ranks, of which two and two share a sequence."""
    dist.init_process_group("fake", store=FakeStore(), rank=3, world_size=4)
    parallel_state.initialize_model_parallel(context_parallel_size=2, create_gloo_process_groups=False)
    yield
    parallel_state.destroy_model_parallel()
    dist.destroy_process_group()


@pytest.mark.usefixtures("last_of_four")
def test_a_context_rank_takes_its_parts_of_a_sequence_and_not_those_of_all_ranks() -> None:
    part = part_of_context_rank({"tokens": torch.arange(8)[None], "loss_mask": torch.arange(8.0)[None]})
    assert part["tokens"].tolist() == [[2, 3, 4, 5]]
    assert part["loss_mask"].tolist() == [[2.0, 3.0, 4.0, 5.0]]


@pytest.mark.skipif(Version(metadata.version("megatron-core")) < Version("0.19"), reason="no HybridModel before 0.19")
def test_what_is_to_follow_gptmodel_computes_the_same(tmp_path: Path) -> None:
    """HybridModel: half a layer is a layer, under other names. Up to rounding: its loss is not our own."""
    config = load_config(tiny_overrides(tmp_path, "parallel=single"))
    launch("tests.model.hybrid:compare", config, "resolved.yaml", str(tmp_path / "differences"))
    differences = json.loads((tmp_path / "differences").read_text())
    assert differences["losses"] < 5e-6
    assert differences["gradients"] < 5e-6
