"""A real sandbox, where this machine lets us have one."""

from __future__ import annotations

import pytest

from snowcoder.errors import UserError
from snowcoder.sandbox.program import Limits
from snowcoder.sandbox.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    try:
        return Sandbox(Limits(wall_seconds=20, cpu_seconds=5, memory_mib=256, processes=12, output_kib=64, disk_mib=8))
    except UserError as error:
        pytest.skip(str(error))
