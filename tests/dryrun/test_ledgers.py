"""The ledger of memory on its own."""

from __future__ import annotations

import torch

from snowcoder.dryrun.memory_ledger import MemoryLedger, storage_key


def test_bytes_come_and_go_with_storages() -> None:
    ledger = MemoryLedger(granule=512)
    first, second = torch.empty(100), torch.empty(1000)
    ledger.add(first, "a", "build")
    ledger.add(first[:10], "b", "build")  # the same storage
    ledger.add(second, "b", "forward")
    assert ledger.at_peak == {"a": 512, "b": 4096}
    assert ledger.peak_in == "forward"
    del second
    assert (ledger.total, ledger.peak) == (512, 4608)


def test_a_better_name_moves_the_bytes() -> None:
    ledger = MemoryLedger(granule=1)
    tensor = torch.empty(8)
    ledger.add(tensor, "build", "build")
    ledger.rename({storage_key(tensor): "weights"})
    assert +ledger.live == {"weights": 32}
    del tensor
    assert ledger.total == 0
