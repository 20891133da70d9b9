"""Bytes of live storages by what holds them, now and when they were most."""

from __future__ import annotations

import weakref
from collections import Counter

import torch


class MemoryLedger:
    """Each storage is rounded up to `granule` bytes, as the allocator does that is meant."""

    def __init__(self, granule: int) -> None:
        self.granule = granule
        self.live: Counter[str] = Counter()
        self._held: dict[int, tuple[str, int]] = {}  # storage -> holder, bytes
        self._ends: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self.total = 0
        self.forget_peak()

    def forget_peak(self) -> None:
        self.peak, self.at_peak, self.peak_in = self.total, dict(self.live), ""

    def add(self, tensor: torch.Tensor, holder: str, stage: str) -> None:
        """Count the storage of `tensor` [...], of any dtype, from now until it ends; once, by its first holder."""
        storage = tensor.untyped_storage()
        key = storage_key(tensor)
        if key in self._held:
            return
        size = -(-storage.nbytes() // self.granule) * self.granule
        self._ends[key] = weakref.ref(storage, lambda _: self._end(key))
        self._hold(key, holder, size)
        if self.total > self.peak:
            self.peak, self.at_peak, self.peak_in = self.total, dict(self.live), stage

    def rename(self, holders: dict[int, str]) -> None:
        """Storages, by `storage_key`, whose holder is known better than when they were made."""
        for key, holder in holders.items():
            if key in self._held:
                self._hold(key, holder, self._release(key))

    def _hold(self, key: int, holder: str, size: int) -> None:
        self._held[key] = holder, size
        self.live[holder] += size
        self.total += size

    def _release(self, key: int) -> int:
        holder, size = self._held.pop(key)
        self.live[holder] -= size
        self.total -= size
        return size

    def _end(self, key: int) -> None:
        self._ends.pop(key, None)
        if key in self._held:
            self._release(key)


def storage_key(tensor: torch.Tensor) -> int:
    """Of the storage of `tensor` [...], of any dtype, as long as that lives."""
    key: int = tensor.untyped_storage()._cdata
    return key
