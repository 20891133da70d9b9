"""Who builds a source's index: one whole build, or several of different parts, never two of the same shards.

Workers hold the locks of their build too: none is free while one of them may still write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from snowcoder.errors import UserError
from snowcoder.storage.lock import Held, Holder, is_held, locked, read_holder
from snowcoder.storage.lock import try_lock as _try

T = TypeVar("T")

_WHOLE = ".lock"  # held by a whole build alone, or shared by parts


class Part(NamedTuple):
    """`index.part`: of every `of` shards, in their order, the one at `number` (from 1)."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Part:
        number, of = text.split("/")
        return cls(int(number), int(of))

    @property
    def is_all(self) -> bool:
        return self.of == 1

    def of_all(self, items: list[T]) -> list[T]:
        return items[self.number - 1 :: self.of]

    @property
    def lock(self) -> str:
        return f"{_WHOLE}-{self.number}-of-{self.of}"


ALL = Part(1, 1)


class Busy(UserError):
    """Another process builds what this one should."""


def is_lock(path: Path) -> bool:
    return path.name == _WHOLE or path.name.startswith(f"{_WHOLE}-")


@contextmanager
def build_lock(folder: Path, part: Part) -> Iterator[list[Held]]:
    """The right to write the shards of `part` into `folder`. Raises `Busy`, naming who has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if part.is_all:
            whole = stack.enter_context(_locked(folder / _WHOLE))
            _remove_left_over(folder)
            yield [whole]
        else:
            shared = stack.enter_context(_locked(folder / _WHOLE, shared=True))
            own = stack.enter_context(_locked(folder / part.lock))
            for path in folder.glob(f"{_WHOLE}-*"):
                if not path.name.endswith(f"-of-{part.of}") and is_held(path):
                    raise _busy(path)
            yield [own, shared]


def _remove_left_over(folder: Path) -> None:
    """Files of parts that were killed; not of one that is just being refused."""
    for path in folder.glob(f"{_WHOLE}-*"):
        if (descriptor := _try(path, shared=False)) is not None:
            path.unlink()
            os.close(descriptor)


def _locked(path: Path, shared: bool = False) -> AbstractContextManager[Held]:
    return locked(path, lambda: _busy(path), shared, _holder)


def _holder(path: Path) -> Holder:
    parts = path.parent.glob(f"{_WHOLE}-*") if path.name == _WHOLE else ()  # where shared, it is by parts
    return read_holder(next(filter(is_held, parts), path))


def _busy(path: Path) -> Busy:
    holder = _holder(path)
    who = f"process {holder['pid']} on {holder['host']}" if holder else "another process"
    return Busy(
        f"{path.parent} is being built by {who}: wait until it is done or stop it. "
        "Of an index, different parts (index.part=1/4, 2/4, ...) may be built side by side"
    )
