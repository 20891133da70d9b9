"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.workspace", "tests.object_stores", "tests.sandboxes"]


@pytest.fixture
def one_rank() -> Iterator[None]:
    """A group of one, for code that asks which rank it is."""
    import torch.distributed as dist  # not at the top: most tests need no torch

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()
